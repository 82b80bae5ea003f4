//! Users in workbooks (XLSX), in and out.

use std::io::{Cursor, Write};

use ostiary::flow::operations::exports;
use rust_xlsxwriter::{Format, Formula, Workbook};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::administrator;
use super::imports::{found, later, rows, sent, step};
use crate::api::conversation::Caller;
use crate::support::server::{Server, each_backend};

/// A workbook as Excel writes it: texts in a table of their own, days as numbers with a format.
fn excel(change: impl FnOnce(&mut rust_xlsxwriter::Worksheet)) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    for (column, heading) in ["username", "email", "given_name", "birthdate", "phone", "shoe_size"]
        .iter()
        .enumerate()
    {
        sheet.write_string(0, u16::try_from(column).unwrap(), *heading).unwrap();
    }
    change(sheet);
    workbook.save_to_buffer().unwrap()
}

/// An archive with these entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A workbook as LibreOffice and libraries without a table of texts write it, with this sheet.
fn plain(sheet: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let types = r#"<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#;
    let root = r#"<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
    let workbook = r#"<?xml version="1.0" encoding="UTF-8"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Tabelle1" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
    let rels = r#"<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;
    let mut entries: Vec<(&str, &[u8])> = vec![
        ("[Content_Types].xml", types.as_bytes()),
        ("_rels/.rels", root.as_bytes()),
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/_rels/workbook.xml.rels", rels.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ];
    entries.extend(more);
    archive(&entries)
}

fn sheet(rows: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>username</t></is></c><c r="B1" t="inlineStr"><is><t>company</t></is></c></row>{rows}</sheetData></worksheet>"#
    )
}

async fn read(server: &Server, caller: &Caller<'_>, file: &[u8]) -> (String, Value) {
    let path = sent(caller, json!({"format": "xlsx"}), file, 100_000).await;
    let read = step(server, caller, &path, "read").await;
    (path, read)
}

/// Workbooks as different programs write them are read: texts, numbers, days, empty rows.
#[tokio::test]
async fn workbooks_of_different_programs_are_imported() {
    each_backend(async |server| {
        let caller = administrator(server).await;
        let property = json!({"name": "shoe_size", "type": "number"});
        assert_eq!(caller.post("/properties", property).await.status, 201);
        let day = Format::new().set_num_format("yyyy-mm-dd");
        let file = excel(|sheet| {
            sheet.write_string(1, 0, "ada").unwrap();
            sheet.write_string(1, 1, "ada@example.com").unwrap();
            sheet.write_string(1, 2, "Ada, \"the\" first").unwrap();
            sheet.write_number_with_format(1, 3, 45_943.0, &day).unwrap();
            sheet.write_string(1, 4, "+33123456789").unwrap();
            sheet.write_number(1, 5, 38.5).unwrap();
            sheet.write_number(4, 0, 4711.0).unwrap();
        });
        let (path, told) = read(server, &caller, &file).await;
        assert_eq!((&told["state"], &told["creating"], &told["refused"]), (&json!("read"), &json!(2), &json!(0)), "{told}");
        step(server, &caller, &path, "make").await;
        step(server, &caller, &path, "show").await;
        let ada = found(&caller, "ada").await.unwrap();
        assert_eq!((&ada["given_name"], &ada["birthdate"]), (&json!("Ada, \"the\" first"), &json!("2025-10-13")));
        assert_eq!((&ada["phone_number"], &ada["properties"]["shoe_size"]), (&json!("+33123456789"), &json!(38.5)));
        assert!(found(&caller, "4711").await.is_some());

        let rows_of = r#"<row r="2"><c r="A2" t="inlineStr"><is><r><t>gr</t></r><r><t>ace</t></r></is></c><c r="B2" t="str"><v>&lt;Ltd&gt; &amp; Co</v></c></row><row r="7"><c r="A7" t="inlineStr"><is><t>linus</t></is></c></row>"#;
        // names that lead elsewhere lead nowhere
        let file = plain(&sheet(rows_of), &[("../../../../tmp/out.xml", b"x"), ("/etc/passwd", b"x")]);
        let (path, told) = read(server, &caller, &file).await;
        assert_eq!((&told["state"], &told["creating"]), (&json!("read"), &json!(2)), "{told}");
        step(server, &caller, &path, "make").await;
        step(server, &caller, &path, "show").await;
        assert_eq!(found(&caller, "grace").await.unwrap()["company"], "<Ltd> & Co");
        assert_eq!(rows(&caller, &path, "").await.len(), 2);
    })
    .await;
}

/// SEC-456, SEC-457, SEC-712: what grows when it is unpacked, has a formula, or is no workbook, is refused with the reason.
#[tokio::test]
async fn import_bomb_bounds() {
    let server = Server::start().await;
    let caller = administrator(&server).await;
    let formula = excel(|sheet| {
        sheet.write_string(1, 0, "ada").unwrap();
        sheet
            .write_formula(1, 2, Formula::new("=HYPERLINK(\"http://x\")").set_result("x"))
            .unwrap();
    });
    let zeros = vec![b' '; 64 * 1024 * 1024];
    let run = plain(&sheet(""), &[("xl/sharedStrings.xml", &zeros)]);
    let texts = "<si><t>x</t></si>".repeat(1_000_000);
    let bomb = plain(&sheet(""), &[("xl/sharedStrings.xml", texts.as_bytes())]);
    let other = plain(&sheet(""), &[("xl/media/image.bin", &zeros)]);
    let mut noise = String::new();
    let mut seed = 7_u32;
    while noise.len() < 3 * 1024 * 1024 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push(char::from(b'a' + u8::try_from((seed >> 24) % 26).unwrap()));
    }
    let long = plain(
        &sheet(&format!(
            r#"<row r="2"><c r="A2" t="inlineStr"><is><t>{noise}</t></is></c></row>"#
        )),
        &[],
    );
    let cell = plain(
        &sheet(&format!(
            r#"<row r="2"><c r="A2" t="inlineStr"><is><t>{}</t></is></c></row>"#,
            &noise[..40_000]
        )),
        &[],
    );
    let error = plain(&sheet(r##"<row r="2"><c r="A2" t="e"><v>#REF!</v></c></row>"##), &[]);
    let entries: Vec<(String, Vec<u8>)> = (0..1_001).map(|number| (format!("xl/x{number}"), Vec::new())).collect();
    let entries: Vec<(&str, &[u8])> = entries
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()))
        .collect();
    for (file, told) in [
        (formula, "row 2 holds a formula"),
        (run, "longer than a MiB"),
        (bomb, "far too large when it is unpacked"),
        (other, "far too large when it is unpacked"),
        (long, "longer than a MiB"),
        (cell, "more than 32767 characters"),
        (error, "an error of a formula"),
        (plain(&sheet(""), &entries), "too many parts"),
        (archive(&[("readme.txt", b"x")]), "it is no workbook"),
        (plain("<worksheet><sheetData><row", &[]), "workbook"),
        (b"username\nada\n".to_vec(), "it is no workbook"),
        (b"PK\x03\x04 and no more".to_vec(), "it is no workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), "before 2007"),
    ] {
        let (_, read) = read(&server, &caller, &file).await;
        let detail = read["detail"].as_str().unwrap_or_default();
        assert!(read["state"] == "failed" && detail.contains(told), "{told}: {read}");
    }
    server.stop().await;
}

/// SEC-455: a workbook is written after the answer, and what was exported comes back: nothing in it is a formula.
#[tokio::test]
async fn export_formula_defused() {
    each_backend(async |server| {
        let caller = administrator(server).await;
        for (name, company) in [("ada", "=1+1"), ("bob", "  @x"), ("carl", "-2+3")] {
            let made = caller
                .post(
                    "/users",
                    json!({"username": name, "company": company.trim(), "nickname": "plain"}),
                )
                .await;
            assert_eq!(made.status, 201, "{}", made.body);
        }
        let begun = caller
            .post("/exports", json!({"columns": ["username", "company", "nickname"]}))
            .await;
        assert_eq!(begun.status, 202, "{}", begun.body);
        let path = format!("/exports/{}", begun.json()["id"].as_str().unwrap());
        let told = loop {
            while exports::work(server.provider(), &later(server)).await.unwrap() {}
            let told = caller.get(&path).await.json();
            if told["ended_at"].is_string() {
                break told;
            }
            ostiary::clock::sleep(std::time::Duration::from_millis(20)).await;
        };
        assert_eq!(told["state"], "done", "{told}");
        let file = caller.bytes(&format!("{path}/file")).await;
        assert_eq!(told["bytes"], file.len());
        let mut workbook: calamine::Xlsx<_> = calamine::Reader::new(Cursor::new(file.clone())).unwrap();
        let name = calamine::Reader::sheet_names(&workbook)[0].clone();
        assert_eq!(
            calamine::Reader::worksheet_formula(&mut workbook, &name)
                .unwrap()
                .used_cells()
                .count(),
            0
        );
        let range = calamine::Reader::worksheet_range(&mut workbook, &name).unwrap();
        let cells: Vec<String> = range.rows().map(|row| row[1].to_string()).collect();
        assert!(
            cells.contains(&"'=1+1".to_owned()) && cells.contains(&"'-2+3".to_owned()),
            "{cells:?}"
        );
        for (name, company) in [("ada", "=1+1"), ("bob", "@x"), ("carl", "-2+3")] {
            let id = found(&caller, name).await.unwrap()["id"].as_str().unwrap().to_owned();
            assert_eq!(
                caller
                    .patch(&format!("/users/{id}"), json!({"company": null}))
                    .await
                    .status,
                200,
                "{company}"
            );
        }
        let sent = sent(
            &caller,
            json!({"format": "xlsx", "on_existing": "update"}),
            &file,
            100_000,
        )
        .await;
        for word in ["read", "make", "show"] {
            step(server, &caller, &sent, word).await;
        }
        for (name, company) in [("ada", "=1+1"), ("bob", "@x"), ("carl", "-2+3")] {
            assert_eq!(found(&caller, name).await.unwrap()["company"], company);
        }
        assert_eq!(caller.delete(&path).await.status, 204);
        assert_eq!(caller.get(&path).await.status, 404);
    })
    .await;
}
