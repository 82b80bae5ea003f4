//! Rust sources as words: enough of a tokenizer to see imports, calls and texts without being fooled by comments.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::support::sources::texts;

/// One word of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// An identifier or keyword.
    Name(String),
    /// The content of a string literal.
    Text(String),
    /// Anything else; `::` is one word.
    Mark(&'static str),
}

/// A source file: its path below the folder that was read, and its words without comments.
pub struct Source {
    pub path: String,
    pub text: String,
    pub words: Vec<Word>,
}

impl Source {
    /// The first folder below `src`, or the file's stem when it stands there itself.
    pub fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The folder below the room, or the file's stem: `flow/token/issue.rs` and `flow/token.rs` are both `token`.
    pub fn inner_room(&self) -> Option<&str> {
        let second = self.path.split('/').nth(1)?;
        Some(second.strip_suffix(".rs").unwrap_or(second))
    }

    /// The file's stem.
    pub fn stem(&self) -> &str {
        let last = self.path.rsplit('/').next().unwrap();
        last.strip_suffix(".rs").unwrap_or(last)
    }

    /// Whether these names follow one another, `::` between them: `["SystemTime", "now"]`.
    pub fn says(&self, path: &[&str]) -> bool {
        let mut wanted = Vec::new();
        for (index, name) in path.iter().enumerate() {
            if index > 0 {
                wanted.push(Word::Mark("::"));
            }
            wanted.push(Word::Name((*name).to_owned()));
        }
        self.words.windows(wanted.len()).any(|window| window == wanted)
    }

    /// Every path that begins at the crate's root: `["flow", "token"]` for `crate::flow::token::...`, groups unfolded one
    /// level, `super::` resolved.
    pub fn own_paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        let mut depth = self.path.trim_end_matches(".rs").split('/').count();
        if self.path.ends_with("mod.rs") {
            depth -= 1;
        }
        let mut folders: Vec<String> = self
            .path
            .trim_end_matches(".rs")
            .split('/')
            .map(str::to_owned)
            .collect();
        folders.truncate(depth);
        let mut index = 0;
        while index < self.words.len() {
            let starts = index == 0 || self.words[index - 1] != Word::Mark("::");
            let mut here: Option<Vec<String>> = None;
            let mut next = index + 1;
            if starts && self.name_then_colons(index) == Some("crate") {
                here = Some(Vec::new());
                next = index + 2;
            } else if starts && self.name_then_colons(index) == Some("super") {
                let mut ups = 0;
                next = index;
                while self.name_then_colons(next) == Some("super") {
                    ups += 1;
                    next += 2;
                }
                here = Some(folders[..folders.len().saturating_sub(ups)].to_vec());
            }
            if let Some(before) = here {
                self.unfold(next, before, &mut paths);
            }
            index = next;
        }
        paths
    }

    /// Names of outside packages that begin a path, modules of this file's own left out.
    pub fn package_paths(&self) -> Vec<&str> {
        let mut found = Vec::new();
        let declared = self.declared();
        // for every open brace, whether it is the group of a path: names inside begin nothing
        let mut braces = Vec::new();
        for (index, word) in self.words.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| &self.words[before]);
            let name = match word {
                Word::Mark("{") => {
                    braces.push(before == Some(&Word::Mark("::")));
                    continue;
                }
                Word::Mark("}") => {
                    braces.pop();
                    continue;
                }
                Word::Name(name) => name,
                _ => continue,
            };
            let after = self.words.get(index + 1);
            let starts = !matches!(before, Some(Word::Mark("::" | "."))) && !braces.contains(&true);
            let whole = before == Some(&Word::Name("use".to_owned())) && after == Some(&Word::Mark(";"));
            if starts && (whole || after == Some(&Word::Mark("::"))) && !declared.contains(name.as_str()) {
                found.push(name.as_str());
            }
        }
        found
    }

    /// The modules that it has.
    fn declared(&self) -> BTreeSet<&str> {
        self.words
            .windows(2)
            .filter_map(|pair| match pair {
                [Word::Name(word), Word::Name(module)] if word == "mod" => Some(module.as_str()),
                _ => None,
            })
            .collect()
    }

    fn name_then_colons(&self, index: usize) -> Option<&str> {
        match (self.words.get(index), self.words.get(index + 1)) {
            (Some(Word::Name(name)), Some(Word::Mark("::"))) => Some(name),
            _ => None,
        }
    }

    fn unfold(&self, mut index: usize, mut path: Vec<String>, paths: &mut Vec<Vec<String>>) {
        loop {
            match self.words.get(index) {
                Some(Word::Name(name)) => path.push(name.clone()),
                Some(Word::Mark("{")) => {
                    self.unfold_group(index + 1, &path, paths);
                    return;
                }
                _ => break,
            }
            if self.words.get(index + 1) != Some(&Word::Mark("::")) {
                break;
            }
            index += 2;
        }
        paths.push(path);
    }

    fn unfold_group(&self, from: usize, before: &[String], paths: &mut Vec<Vec<String>>) {
        let mut depth = 1;
        let mut expect = true;
        for index in from..self.words.len() {
            match &self.words[index] {
                Word::Mark("{") => depth += 1,
                Word::Mark("}") => depth -= 1,
                Word::Mark(",") if depth == 1 => expect = true,
                Word::Name(name) if depth == 1 && expect && name != "self" => {
                    self.unfold(index, before.to_vec(), paths);
                    expect = false;
                }
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }
}

/// Every `.rs` file below a folder of the project, in the order of their names.
pub fn sources(folder: &str) -> &'static [Source] {
    static READ: LazyLock<[(&str, Vec<Source>); 2]> =
        LazyLock::new(|| ["src", "tests/it"].map(|folder| (folder, read(folder))));
    let found = READ.iter().find(|(known, _)| *known == folder);
    found.map(|(_, sources)| sources).unwrap()
}

fn read(folder: &str) -> Vec<Source> {
    texts(folder, &["rs"])
        .into_iter()
        .map(|(path, text)| Source {
            path: path.strip_prefix(folder).unwrap().trim_start_matches('/').to_owned(),
            words: words(&text),
            text,
        })
        .collect()
}

/// A source text as words.
pub fn words(text: &str) -> Vec<Word> {
    let letters: Vec<char> = text.chars().collect();
    let at = |index: usize| letters.get(index).copied().unwrap_or('\0');
    let mut words = Vec::new();
    let mut index = 0;
    while index < letters.len() {
        let letter = at(index);
        if letter == '/' && at(index + 1) == '/' {
            while index < letters.len() && at(index) != '\n' {
                index += 1;
            }
        } else if letter == '/' && at(index + 1) == '*' {
            index = after_block_comment(&letters, index);
        } else if let Some((start, end, next)) = text_literal(&letters, index) {
            words.push(Word::Text(letters[start..end].iter().collect()));
            index = next;
        } else if letter == '\'' {
            // a character ends with a quote after one letter or an escape; else it is a lifetime
            let escaped = at(index + 1) == '\\';
            if escaped {
                index += 3;
                while index < letters.len() && at(index) != '\'' {
                    index += 1;
                }
                index += 1;
            } else if at(index + 2) == '\'' {
                index += 3;
            } else {
                index += 1;
                while at(index).is_alphanumeric() || at(index) == '_' {
                    index += 1;
                }
            }
        } else if letter.is_alphabetic() || letter == '_' {
            let start = index;
            while at(index).is_alphanumeric() || at(index) == '_' {
                index += 1;
            }
            words.push(Word::Name(letters[start..index].iter().collect()));
        } else if letter == ':' && at(index + 1) == ':' {
            words.push(Word::Mark("::"));
            index += 2;
        } else {
            match letter {
                '{' => words.push(Word::Mark("{")),
                '}' => words.push(Word::Mark("}")),
                ',' => words.push(Word::Mark(",")),
                ';' => words.push(Word::Mark(";")),
                '.' => words.push(Word::Mark(".")),
                '!' => words.push(Word::Mark("!")),
                ' ' | '\n' | '\t' | '\r' => {}
                _ => words.push(Word::Mark("")),
            }
            index += 1;
        }
    }
    words
}

fn after_block_comment(letters: &[char], mut index: usize) -> usize {
    let mut depth = 0;
    while index < letters.len() {
        match (letters[index], letters.get(index + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                index += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                index += 2;
                if depth == 0 {
                    return index;
                }
            }
            _ => index += 1,
        }
    }
    index
}

/// Begin, end and what follows of a string literal that begins here (`"`, `r"`, `r#"`, also with `b`).
fn text_literal(letters: &[char], index: usize) -> Option<(usize, usize, usize)> {
    let inside_name = index > 0 && (letters[index - 1].is_alphanumeric() || letters[index - 1] == '_');
    let mut open = index;
    if !inside_name && letters[open] == 'b' {
        open += 1;
    }
    let raw = !inside_name && letters.get(open) == Some(&'r');
    if raw {
        open += 1;
    }
    let mut hashes = 0;
    while raw && letters.get(open) == Some(&'#') {
        hashes += 1;
        open += 1;
    }
    if letters.get(open) != Some(&'"') {
        return None;
    }
    let start = open + 1;
    let mut end = start;
    while end < letters.len() {
        if letters[end] == '\\' && !raw {
            end += 2;
            continue;
        }
        let closes = letters[end] == '"' && (1..=hashes).all(|step| letters.get(end + step) == Some(&'#'));
        if closes {
            return Some((start, end, end + 1 + hashes));
        }
        end += 1;
    }
    Some((start, letters.len(), letters.len()))
}
