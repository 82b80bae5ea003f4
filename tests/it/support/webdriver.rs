//! Chromium without a window, led through WebDriver (W3C): it opens pages, types, clicks, and tells what it sees.
//!
//! It comes from the test command. A browser has no clock argument: this is the one place in the tests that looks again
//! until something is there, with an end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ostiary::clock;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use super::backend::quick;
use super::http::plain_http;

/// How often it looks again, and how long it waits in between: a minute together, for machines that are busy.
const LOOKS: u32 = 1200;
const BETWEEN: Duration = Duration::from_millis(50);
/// The member that marks a reference to an element (WebDriver section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys of the keyboard (WebDriver section 17.4.2).
pub const TAB: char = '\u{e004}';
pub const ENTER: char = '\u{e007}';

/// A running Chromium with a profile of its own. It ends with the test.
pub struct Chromium {
    http: reqwest::Client,
    port: u16,
    session: String,
    driver: Child,
    _profile: TempDir,
}

/// A line of the browser's console: scripts' errors, refused resources, broken policies.
#[derive(Clone, Debug)]
pub struct ConsoleLine {
    pub level: String,
    pub text: String,
}

/// Something on the page.
pub struct Element<'a> {
    browser: &'a Chromium,
    reference: String,
}

/// Whether the browser tests run: all but the quick runs have them.
pub fn wanted() -> bool {
    !quick()
}

impl Chromium {
    /// Starts the browser; the test fails where the test command did not say where it is.
    pub async fn start() -> Self {
        let program = std::env::var("OSTIARY_TEST_CHROMEDRIVER").unwrap_or_else(|_| {
            panic!("this test needs OSTIARY_TEST_CHROMEDRIVER: run ./scripts/test, or set OSTIARY_TEST_QUICK=1")
        });
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new(&program)
            .args(["--port=0", "--log-level=WARNING"])
            .arg(format!("--log-path={}", profile.path().join("driver.log").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let port = port_of(&mut driver);
        let mut browser = Self {
            http: plain_http().build().unwrap(),
            port,
            session: String::new(),
            driver,
            _profile: profile,
        };
        let begun = browser
            .send("POST", "/session", Some(browser.capabilities()))
            .await
            .unwrap_or_else(|error| panic!("Chromium does not start: {error}"));
        begun["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        browser.window(1280, 900).await;
        browser
    }

    fn capabilities(&self) -> Value {
        let folder = self._profile.path().join("profile");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-breakpad",
            "--lang=en",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", folder.display()));
        let mut options = json!({ "args": arguments });
        if let Ok(binary) = std::env::var("OSTIARY_TEST_CHROMIUM") {
            options["binary"] = binary.into();
        }
        json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        } } })
    }

    /// Opens an address and waits until the page is loaded.
    pub async fn open(&self, address: &str) {
        self.command("POST", "/url", Some(json!({ "url": address }))).await;
    }

    /// Where it is.
    pub async fn url(&self) -> Url {
        let url = self.command("GET", "/url", None).await;
        Url::parse(url.as_str().unwrap()).unwrap()
    }

    /// The page's title.
    pub async fn title(&self) -> String {
        text(&self.command("GET", "/title", None).await)
    }

    /// The document as it stands now.
    pub async fn source(&self) -> String {
        text(&self.command("GET", "/source", None).await)
    }

    /// Runs the body of a function in the page.
    pub async fn execute(&self, script: &str) -> Value {
        let body = json!({ "script": script, "args": [] });
        self.command("POST", "/execute/sync", Some(body)).await
    }

    /// A picture of what is visible, as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let picture = self.command("GET", "/screenshot", None).await;
        STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    /// A command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.command("POST", "/goog/cdp/execute", Some(body)).await
    }

    /// A command about authenticators that the driver stands for (Web Authentication Level 3 section 11).
    pub async fn webauthn(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.command(method, &format!("/webauthn/authenticator{path}"), body)
            .await
    }

    /// The size of the page's window, in CSS pixels.
    pub async fn window(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Light or dark, as the device prefers it.
    pub async fn prefers(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// From now on no page runs a script of its own.
    pub async fn without_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true }))
            .await;
    }

    /// What the console says since it was last asked.
    pub async fn console(&self) -> Vec<ConsoleLine> {
        let lines = self
            .command("POST", "/se/log", Some(json!({ "type": "browser" })))
            .await;
        let lines = lines.as_array().unwrap().iter();
        lines
            .map(|line| ConsoleLine {
                level: text(&line["level"]),
                text: text(&line["message"]),
            })
            .collect()
    }

    /// Waits until the console says these words: the browser tells it a little after the deed.
    pub async fn complains_of(&self, words: &str) {
        let what = format!("{words} in the console");
        self.wait(&what, async || {
            let lines = self.console().await;
            lines.into_iter().find(|line| line.text.contains(words))
        })
        .await;
    }

    /// The first element that a CSS selector finds, waited for.
    pub async fn find(&self, selector: &str) -> Element<'_> {
        let what = format!("{selector} on the page");
        Element {
            browser: self,
            reference: self.wait(&what, async || self.seek(selector).await).await,
        }
    }

    /// Whether a CSS selector finds something now.
    pub async fn has(&self, selector: &str) -> bool {
        self.seek(selector).await.is_some()
    }

    /// The element that has the keyboard.
    pub async fn active(&self) -> Element<'_> {
        let found = self.command("GET", "/element/active", None).await;
        Element {
            browser: self,
            reference: text(&found[ELEMENT]),
        }
    }

    /// Types into a field.
    pub async fn type_into(&self, selector: &str, what: &str) {
        let field = self.find(selector).await;
        let body = json!({ "text": what });
        self.command("POST", &field.path("/value"), Some(body)).await;
    }

    /// Clicks on something.
    pub async fn click(&self, selector: &str) {
        let what = self.find(selector).await;
        self.command("POST", &what.path("/click"), Some(json!({}))).await;
    }

    /// Presses keys one after the other, whatever has the keyboard.
    pub async fn press(&self, keys: &str) {
        let pressed: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() })))
            .collect();
        let body = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": pressed }] });
        self.command("POST", "/actions", Some(body)).await;
    }

    /// Waits until the page is at an address that begins so, and loaded.
    pub async fn arrives_at(&self, beginning: &str) -> Url {
        self.wait(&format!("the address {beginning}"), async || {
            let url = self.url().await;
            let loaded = self.execute("return document.readyState").await == "complete";
            (loaded && url.as_str().starts_with(beginning)).then_some(url)
        })
        .await
    }

    /// Waits until the page shows a text.
    pub async fn shows(&self, words: &str) {
        self.wait(&format!("the words {words:?}"), async || {
            let body = self
                .execute("return document.body ? document.body.innerText : ''")
                .await;
            body.as_str().unwrap_or_default().contains(words).then_some(())
        })
        .await;
    }

    /// Looks until there is something, or fails with what the page is by then.
    async fn wait<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        for _ in 0..LOOKS {
            if let Some(found) = look().await {
                return found;
            }
            clock::sleep(BETWEEN).await;
        }
        panic!(
            "waited in vain for {what} at {}: {}",
            self.url().await,
            self.source().await
        );
    }

    async fn seek(&self, selector: &str) -> Option<String> {
        let body = json!({ "using": "css selector", "value": selector });
        let path = format!("/session/{}/element", self.session);
        match self.send("POST", &path, Some(body)).await {
            Ok(found) => Some(text(&found[ELEMENT])),
            // a page that is being replaced is looked at again
            Err(error) if error.contains("no such element") || error.contains("stale") => None,
            Err(error) => panic!("{selector}: {error}"),
        }
    }

    async fn command(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let path = format!("/session/{}{path}", self.session);
        match self.send(method, &path, body).await {
            Ok(value) => value,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, String> {
        let address = format!("http://127.0.0.1:{}{path}", self.port);
        let mut request = self.http.request(method.parse().unwrap(), address);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await.map_err(|error| error.to_string())?;
        let well = response.status().is_success();
        let answer = response.text().await.map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer}"))?;
        let value = answer["value"].take();
        if well {
            Ok(value)
        } else {
            Err(format!("{}: {}", text(&value["error"]), text(&value["message"])))
        }
    }
}

impl Element<'_> {
    /// Its text as a person sees it.
    pub async fn text(&self) -> String {
        text(&self.browser.command("GET", &self.path("/text"), None).await)
    }

    /// A property of the element; empty if it has none.
    pub async fn property(&self, name: &str) -> String {
        let path = self.path(&format!("/property/{name}"));
        text(&self.browser.command("GET", &path, None).await)
    }

    /// A computed style.
    pub async fn style(&self, name: &str) -> String {
        text(
            &self
                .browser
                .command("GET", &self.path(&format!("/css/{name}")), None)
                .await,
        )
    }

    /// Whether it is visible.
    pub async fn is_visible(&self) -> bool {
        self.browser.command("GET", &self.path("/displayed"), None).await == true
    }

    fn path(&self, end: &str) -> String {
        format!("/element/{}{end}", self.reference)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The driver says where it listens.
fn port_of(driver: &mut Child) -> u16 {
    let mut said = BufReader::new(driver.stdout.take().unwrap());
    let mut line = String::new();
    while said.read_line(&mut line).unwrap() > 0 {
        if let Some((_, port)) = line.split_once("successfully on port ") {
            return port.trim().trim_end_matches('.').parse().unwrap();
        }
        line.clear();
    }
    panic!("the driver ended before it listened");
}

impl Drop for Chromium {
    /// The browser is asked to close; whatever is left of the driver's own process group is ended by its number.
    fn drop(&mut self) {
        drop(close(self.port, &self.session));
        let group = format!("-{}", self.driver.id());
        drop(
            Command::new("kill")
                .args(["-KILL", "--", &group])
                .stderr(Stdio::null())
                .status(),
        );
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// Ends the session without a runtime: a test that fails unwinds through here.
fn close(port: u16, session: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "DELETE /session/{session} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )?;
    stream.read(&mut [0; 512]).map(drop)
}
