//! `doctor`: looks at everything around an installation; each thing that is wrong comes with the line to change.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::arguments::Doctor;
use super::failure::Failure;
use super::output::{Output, Shape};
use crate::clock::Clock;
use crate::config::Config;
use crate::flow::operations::doctor::{self, Finding, Report, Wish};
use crate::model::Health;
use crate::server;
use crate::view::{Locale, Views};

pub(super) async fn run(file: Option<&Path>, arguments: &Doctor) -> Result<ExitCode, Failure> {
    let report = match Config::load(file, std::env::vars_os()) {
        Err(problems) => Report {
            findings: problems.0.iter().map(Finding::refused_configuration).collect(),
        },
        Ok(config) => {
            let patient = server::doctor(&config, &Clock::default()).await;
            let wish = Wish {
                send_to: arguments.send_to.clone(),
                text_to: arguments.text_to.clone(),
                ..Wish::default()
            };
            doctor::examine(&patient, &wish).await
        }
    };
    let views = Views::new().map_err(|error| Failure::refused(error.to_string()))?;
    let sentence =
        |finding: &Finding| views.sentence(Locale::English, &format!("doctor_{}", finding.said), &finding.values);
    let value = json!({
        "verdict": report.verdict().as_str(),
        "findings": report.findings.iter().map(|finding| row(finding, &sentence(finding))).collect::<Vec<Value>>(),
    });
    let Output { text, .. } = Output::either(arguments.json.shape(), &value, || {
        report
            .findings
            .iter()
            .map(|finding| drawn(finding, &sentence(finding)))
            .collect()
    });
    print!("{text}");
    if report.verdict() == Health::Wrong {
        if arguments.json.shape() == Shape::People {
            eprintln!("ostiary: something has to be changed");
        }
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(finding: &Finding, sentence: &str) -> Value {
    let values: serde_json::Map<String, Value> = finding
        .values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json!({
        "check": finding.check.as_str(),
        "verdict": finding.verdict.as_str(),
        "code": finding.said.as_str(),
        "detail": sentence,
        "values": values,
        "line": finding.line,
    })
}

fn drawn(finding: &Finding, sentence: &str) -> String {
    let mark = match finding.verdict {
        Health::Good => "good   ",
        Health::Warning => "warning",
        Health::Wrong => "WRONG  ",
    };
    let sentence = sentence.replace(char::is_control, " ");
    let mut text = format!("{mark}  {:13}  {sentence}\n", finding.check.as_str());
    if let Some(line) = &finding.line {
        let line = line.replace(char::is_control, " ");
        text.push_str(&format!("{:24}  -> {line}\n", ""));
    }
    text
}
