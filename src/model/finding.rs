//! What the doctor finds: closed sets of words, so that every sentence for them is there in every language.

use super::named::named;

named! {
    /// What a finding is about.
    Check {
        /// The file and the variables.
        Configuration = "configuration",
        /// The address that people use.
        PublicUrl = "public_url",
        /// What stands in front of the server.
        Proxy = "proxy",
        /// What browsers keep.
        Cookies = "cookies",
        /// Whether the machines agree on the time.
        Clock = "clock",
        /// The store.
        Database = "database",
        /// Redis.
        Redis = "redis",
        /// The mail server.
        Mail = "mail",
        /// Who takes text messages.
        Sms = "sms",
        /// Free space.
        Disk = "disk",
        /// Signing keys and the master key's files.
        Keys = "keys",
        /// Certificates.
        Tls = "tls",
    }
}

named! {
    /// How something stands, from well to ill.
    Health {
        /// Well.
        Good = "good",
        /// It works, and should be otherwise.
        Warning = "warning",
        /// It has to be changed.
        Wrong = "wrong",
    }
}

named! {
    /// Which sentence a finding is: the text `doctor_` and this word.
    Said {
        ConfigOk = "config_ok",
        ConfigRefused = "config_refused",
        ConfigAdminLeft = "config_admin_left",
        ConfigCaptcha = "config_captcha",
        UrlOk = "url_ok",
        UrlUnreachable = "url_unreachable",
        UrlForeign = "url_foreign",
        UrlOtherIssuer = "url_other_issuer",
        UrlStranger = "url_stranger",
        ProxyNone = "proxy_none",
        ProxyOk = "proxy_ok",
        ProxyHost = "proxy_host",
        ProxyUntrusted = "proxy_untrusted",
        ProxyPlain = "proxy_plain",
        ProxyProtoMissing = "proxy_proto_missing",
        ProxyProto = "proxy_proto",
        ProxyForMissing = "proxy_for_missing",
        CookiesHost = "cookies_host",
        CookiesLoopback = "cookies_loopback",
        ClockOk = "clock_ok",
        ClockOwn = "clock_own",
        ClockOff = "clock_off",
        ClockNode = "clock_node",
        DbOk = "db_ok",
        DbMissing = "db_missing",
        DbUnreachable = "db_unreachable",
        DbStandby = "db_standby",
        DbUnsafe = "db_unsafe",
        DbSlow = "db_slow",
        DbBehind = "db_behind",
        DbReadable = "db_readable",
        RedisEmbedded = "redis_embedded",
        RedisMissing = "redis_missing",
        RedisOk = "redis_ok",
        RedisUnreachable = "redis_unreachable",
        RedisEvicts = "redis_evicts",
        RedisForgets = "redis_forgets",
        RedisSlow = "redis_slow",
        MailNone = "mail_none",
        MailOk = "mail_ok",
        MailSent = "mail_sent",
        MailCredentials = "mail_credentials",
        MailUnreachable = "mail_unreachable",
        MailNotSent = "mail_not_sent",
        SmsNone = "sms_none",
        SmsWanted = "sms_wanted",
        SmsOk = "sms_ok",
        SmsUnreachable = "sms_unreachable",
        SmsSent = "sms_sent",
        SmsNotSent = "sms_not_sent",
        DiskOk = "disk_ok",
        DiskLow = "disk_low",
        DiskUnknown = "disk_unknown",
        KeysOk = "keys_ok",
        KeysOld = "keys_old",
        KeysNone = "keys_none",
        KeyFileOk = "key_file_ok",
        KeyFileReadable = "key_file_readable",
        KeyFolderMissing = "key_folder_missing",
        KeyNotOpened = "key_not_opened",
        TlsNone = "tls_none",
        TlsOk = "tls_ok",
        TlsNames = "tls_names",
        TlsOver = "tls_over",
        TlsEarly = "tls_early",
        TlsSoon = "tls_soon",
        TlsOrder = "tls_order",
        TlsAlone = "tls_alone",
        TlsSelf = "tls_self",
        TlsEmpty = "tls_empty",
        TlsUnreadable = "tls_unreadable",
        TlsUnreachable = "tls_unreachable",
    }
}
