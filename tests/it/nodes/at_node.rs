//! A browser whose requests a balancer brings to one node or another: the same cookies and the same address, at whichever port.

use crate::support::browser::{Browser, Page};
use crate::support::html::Form;
use crate::support::server::Server;

/// A node as the balancer reaches it.
#[derive(Clone, Copy)]
pub struct AtNode<'a> {
    /// Whose address the browsers know.
    first: &'a Server,
    node: &'a Server,
}

impl<'a> AtNode<'a> {
    pub fn new(first: &'a Server, node: &'a Server) -> Self {
        Self { first, node }
    }

    /// The cookies of a browser, sent to this node; what the node sets stays with this tab.
    fn tab(self, browser: &Browser) -> Browser {
        let tab = Browser::new();
        let url = url::Url::parse(&self.node.url("/")).unwrap();
        for name in browser.cookie_names() {
            tab.set_cookie(url.host_str().unwrap(), &name, &browser.cookie(&name).unwrap());
        }
        tab
    }

    /// GET of a path.
    pub async fn get(self, browser: &Browser, path: &str) -> Page {
        let host = self.first.host();
        let tab = self.tab(browser);
        tab.get_with(&self.node.url(path), &[("host", &host)]).await
    }

    /// Sends a form of a page that came from anywhere.
    pub async fn submit(self, browser: &Browser, page: &Page, form: Form, values: &[(&str, &str)]) -> Page {
        let host = self.first.host();
        let origin = format!("http://{host}");
        let form = form.filled(values);
        let action = page.url.join(&form.action).unwrap();
        let path = match action.query() {
            Some(query) => format!("{}?{query}", action.path()),
            None => action.path().to_owned(),
        };
        let fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let headers = [
            ("host", host.as_str()),
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        let tab = self.tab(browser);
        tab.post_with(&self.node.url(&path), &fields, &headers).await
    }
}
