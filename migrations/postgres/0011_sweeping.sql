-- what has ended is swept and what hangs on a client is deleted a bounded number at a time, each found by an index
create index refresh_tokens_expires on refresh_tokens (expires_at);
create index consents_client on consents (client_id);
