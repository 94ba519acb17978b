//! One end of a call as lines, and as the XML that sipp reads. What a scenario means is then seen where it is used.
//!
//! ```text
//! > INVITE            a request that begins something; lines below it that are indented are further header fields, `sdp` or `body ..` a body
//! < 180?              a response that may come; without the question mark it must
//! < 200
//!     Contact: ^<sip  .. whose header matches this expression; `!Warning: .` must not
//! >> ACK              a request inside the dialog: to the Contact, along the recorded route
//! strict BYE          the same as a strict router sends it on (RFC 2543): the route's first URI is the Request-URI
//! > ACK, > CANCEL     of the INVITE before: same branch, same Request-URI
//! < INVITE            a request arrives; `<< BYE` one inside the dialog
//! > 200 INVITE        the answer to it
//! pause 500           milliseconds; without a number, what the command line says (`-d`)
//! done                says so in the log
//! linger              answers retransmissions for a while, the call is counted already
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};

/// For how long an end lingers: as long as anybody sends again (timer F, RFC 3261 section 17.1.2.2).
const LINGER_MS: u32 = 32_000;
/// What [`End`](super::End) waits for where sipp itself does not end.
pub(super) const DONE: &str = "played to the end";
const SDP: &str = "v=0\no=sipp 1 1 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n\
                   m=audio [auto_media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\n";
const CONTACT: &str = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n";

/// One end of a call.
pub(crate) struct Script<'a> {
    /// What its files are called.
    pub(crate) name: &'a str,
    /// What requests that begin something are for.
    pub(crate) uri: &'a str,
    /// Who sends them.
    pub(crate) from: &'a str,
    pub(crate) lines: &'a str,
}

impl Script<'_> {
    /// Whether it waits for a request first.
    pub(crate) fn answers(&self) -> bool {
        self.lines.trim_start().starts_with('<')
    }

    /// The scenario in sipp's own language.
    pub(crate) fn xml(&self) -> Result<String> {
        let mut writer = Writer {
            script: self,
            steps: steps(self.lines)?,
            xml: String::new(),
            variables: Vec::new(),
            state: State::default(),
        };
        for at in 0..writer.steps.len() {
            writer.step(at).with_context(|| format!("{}: {}", self.name, writer.steps[at].line))?;
        }
        let reference = match writer.variables.is_empty() {
            true => String::new(),
            false => format!("<Reference variables=\"{}\"/>\n", writer.variables.join(",")),
        };
        let name = self.name;
        Ok(format!("<?xml version=\"1.0\"?>\n<scenario name=\"{name}\">\n{}{reference}</scenario>\n", writer.xml))
    }
}

/// A line, and the indented ones below it.
struct Step {
    line: String,
    more: Vec<String>,
}

fn steps(lines: &str) -> Result<Vec<Step>> {
    let margin =
        lines.lines().find(|line| !line.trim().is_empty()).map_or(0, |line| line.len() - line.trim_start().len());
    let mut steps: Vec<Step> = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        if line.len() - line.trim_start().len() > margin {
            steps.last_mut().context("an indented line belongs to nothing")?.more.push(line.trim().to_owned());
        } else {
            steps.push(Step { line: line.trim().to_owned(), more: Vec::new() });
        }
    }
    Ok(steps)
}

/// What was said so far.
#[derive(Default)]
struct State {
    cseq: u32,
    /// Where the last INVITE of ours stands, and its number.
    invite: Option<(usize, u32)>,
    /// The request that arrived last.
    received: Option<String>,
    /// Requests that arrived inside the dialog: their answers add no tag.
    tagged: BTreeMap<String, bool>,
    answers: bool,
}

struct Writer<'a> {
    script: &'a Script<'a>,
    steps: Vec<Step>,
    xml: String,
    /// sipp insists that each is used.
    variables: Vec<String>,
    state: State,
}

impl Writer<'_> {
    fn step(&mut self, at: usize) -> Result<()> {
        let (line, more) = (self.steps[at].line.clone(), self.steps[at].more.clone());
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["done"] => writeln!(self.xml, "<nop><action><log message=\"{DONE}\"/></action></nop>")?,
            ["pause"] => self.xml += "<pause/>\n",
            ["pause", ms] => writeln!(self.xml, "<pause milliseconds=\"{ms}\"/>")?,
            ["linger"] => writeln!(self.xml, "<timewait milliseconds=\"{LINGER_MS}\"/>")?,
            [">", status, method] => self.reply(status, method, &more)?,
            [">", method] => self.request(at, method, &more)?,
            [">>", method] => self.dialog_request(at, method, "[next_url]", "[routes]", &more)?,
            ["strict", method] => self.dialog_request(at, method, "[$rr_uri]", "Route: <[next_url]>", &more)?,
            ["<", what] if what.starts_with(|c: char| c.is_ascii_digit()) => self.response(at, what, &more)?,
            ["<", method] => self.incoming(method, false, &more)?,
            ["<<", method] => self.incoming(method, true, &more)?,
            _ => bail!("not a line of a script"),
        }
        Ok(())
    }

    fn request(&mut self, at: usize, method: &str, more: &[String]) -> Result<()> {
        let Script { uri, from, .. } = *self.script;
        let (branch, number) = match (method, self.state.invite) {
            ("ACK" | "CANCEL", Some((invite, number))) => (format!("[branch-{}]", at - invite), number),
            _ => {
                self.state.cseq += 1;
                ("[branch]".to_owned(), self.state.cseq)
            }
        };
        if method == "INVITE" {
            self.state.invite = Some((at, number));
        }
        let to = if method == "ACK" { "[last_To:]".to_owned() } else { format!("To: <{uri}>") };
        let head = format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch};rport\n\
             From: <sip:{from}>;tag=[pid]c[call_number]\n{to}\n"
        );
        self.send(&head, number, method, more)
    }

    fn dialog_request(&mut self, at: usize, method: &str, to: &str, routes: &str, more: &[String]) -> Result<()> {
        let Script { uri, from, .. } = *self.script;
        let ends = match self.state.answers {
            true => "From: [$to];tag=[pid]s[call_number]\nTo: [$from]\n".to_owned(),
            false => format!("From: <sip:{from}>;tag=[pid]c[call_number]\nTo: <{uri}>[peer_tag_param]\n"),
        };
        let number = match (method, self.state.invite) {
            ("ACK", Some((_, number))) => number,
            _ => {
                self.state.cseq += 1;
                self.state.cseq
            }
        };
        if method == "INVITE" {
            self.state.invite = Some((at, number));
        }
        let head = format!(
            "{method} {to} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport\n\
             {routes}\n{ends}"
        );
        self.send(&head, number, method, more)
    }

    fn send(&mut self, head: &str, number: u32, method: &str, more: &[String]) -> Result<()> {
        let retrans = if method == "ACK" { "" } else { " retrans=\"500\"" };
        let (fields, body) = body(more);
        let contact = if matches!(method, "ACK" | "CANCEL") { "" } else { contact(more) };
        let forwards = if fields.contains("Max-Forwards:") { "" } else { "Max-Forwards: 70\n" };
        write!(
            self.xml,
            "<send{retrans}><![CDATA[\n\n{head}Call-ID: [call_id]\nCSeq: {number} {method}\n{forwards}{contact}{fields}{body}\n]]></send>\n"
        )?;
        Ok(())
    }

    fn reply(&mut self, status: &str, method: &str, more: &[String]) -> Result<()> {
        let tagged = *self.state.tagged.get(method).context("an answer to a request that did not arrive")?;
        let tag = if tagged || method == "CANCEL" { "" } else { ";tag=[pid]s[call_number]" };
        let recorded: String = more.iter().filter(|line| recorded(line)).map(|line| format!("{line}\n")).collect();
        let head = match self.state.received.as_deref() == Some(method) {
            true => {
                format!("[last_Via:]\n{recorded}[last_Record-Route:]\n[last_From:]\n[last_To:]{tag}\n[last_CSeq:]\n")
            }
            false => {
                ensure!(method == "INVITE" && !tagged, "only answers to the first INVITE may be late");
                let via = "Via: [$via]\nVia: [$via2]\nRecord-Route: [$rr]";
                format!("{via}\nFrom: [$from]\nTo: [$to]{tag}\nCSeq: [$cseq]\n")
            }
        };
        let retrans = if method == "INVITE" && status >= "200" { " retrans=\"500\"" } else { "" };
        let (fields, body) = body(more);
        let contact = contact(more);
        write!(
            self.xml,
            "<send{retrans}><![CDATA[\n\nSIP/2.0 {status} {}\n{head}[last_Call-ID:]\n{contact}{fields}{body}\n]]></send>\n",
            reason(status)
        )?;
        Ok(())
    }

    fn response(&mut self, at: usize, what: &str, more: &[String]) -> Result<()> {
        let status = what.trim_end_matches('?');
        let mut attributes = format!("response=\"{status}\"");
        if what.ends_with('?') {
            attributes += " optional=\"true\"";
        }
        if matches!(status, "401" | "407") {
            attributes += " auth=\"true\"";
        }
        // sipp keeps the first Contact and route that it is told to keep: an early dialog's only where something is sent inside it.
        let early = self.steps.get(at + 1).is_some_and(|next| next.line.starts_with(">> "));
        if status.starts_with('2') || early {
            attributes += " rrs=\"true\"";
        }
        self.recv(&attributes, String::new(), more)
    }

    fn incoming(&mut self, what: &str, inside: bool, more: &[String]) -> Result<()> {
        let method = what.trim_end_matches('?');
        let mut attributes = format!("request=\"{method}\"");
        if what.ends_with('?') {
            attributes += " optional=\"true\"";
        }
        self.state.received = Some(method.to_owned());
        self.state.tagged.insert(method.to_owned(), inside);
        let mut actions = String::new();
        if method == "INVITE" && !inside {
            attributes += " rrs=\"true\"";
            self.state.answers = true;
            for (field, occurrence, variable, value) in CAPTURED {
                writeln!(
                    actions,
                    "<ereg regexp=\"{value}\" search_in=\"hdr\" header=\"{field}:\" occurrence=\"{occurrence}\" \
                     assign_to=\"{variable}\"/>"
                )?;
                self.variables.push(variable.to_owned());
            }
        }
        self.recv(&attributes, actions, more)
    }

    fn recv(&mut self, attributes: &str, mut actions: String, more: &[String]) -> Result<()> {
        for (number, check) in more.iter().enumerate() {
            let (header, wanted) = check.split_once(':').context("a check is Header: expression")?;
            let (header, verdict) = match header.strip_prefix('!') {
                Some(header) => (header, "check_it_inverse"),
                None => (header, "check_it"),
            };
            let wanted = wanted.trim().replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            let found = match header {
                "message" => "search_in=\"msg\"".to_owned(),
                _ => format!("search_in=\"hdr\" header=\"{header}:\" case_indep=\"true\""),
            };
            let variable = format!("check{}_{number}", self.xml.len());
            writeln!(actions, "<ereg regexp=\"{wanted}\" {found} {verdict}=\"true\" assign_to=\"{variable}\"/>")?;
            self.variables.push(variable);
        }
        match actions.is_empty() {
            true => writeln!(self.xml, "<recv {attributes}/>")?,
            false => writeln!(self.xml, "<recv {attributes}><action>\n{actions}</action></recv>")?,
        }
        Ok(())
    }
}

/// A hop after ours: its field stands above ours.
fn recorded(line: &str) -> bool {
    line.starts_with("Record-Route:")
}

/// Our own Contact, unless the script has one.
fn contact(more: &[String]) -> &'static str {
    if more.iter().any(|line| line.starts_with("Contact:")) { "" } else { CONTACT }
}

/// Fields and body of a message that ends here.
fn body(more: &[String]) -> (String, String) {
    let is_body = |line: &str| line == "sdp" || line.starts_with("body ");
    let fields = more.iter().filter(|line| !is_body(line) && !recorded(line));
    let fields: String = fields.map(|line| format!("{line}\n")).collect();
    let text = more.iter().find_map(|line| line.strip_prefix("body "));
    let body = match text {
        Some(text) => format!("Content-Type: text/plain\nContent-Length: [len]\n\n{text}"),
        None if more.iter().any(|line| line == "sdp") => {
            format!("Content-Type: application/sdp\nContent-Length: [len]\n\n{SDP}")
        }
        None => "Content-Length: 0\n\n".to_owned(),
    };
    (fields, body)
}

/// Keeps what a late answer to an INVITE repeats, under these names. (There is one exchange in between, so two Via fields.)
const CAPTURED: [(&str, &str, &str, &str); 7] = [
    ("Via", "1", "via", ANYTHING),
    ("Via", "2", "via2", ANYTHING),
    ("Record-Route", "1", "rr", ANYTHING),
    ("Record-Route", "1", "rr_uri", "sip:[^&gt;]*"),
    ("From", "1", "from", ANYTHING),
    ("To", "1", "to", ANYTHING),
    ("CSeq", "1", "cseq", ANYTHING),
];
const ANYTHING: &str = "[^[:space:]].*";

fn reason(status: &str) -> &'static str {
    match status {
        "180" => "Ringing",
        "183" => "Session Progress",
        "200" => "OK",
        "300" => "Multiple Choices",
        "302" => "Moved Temporarily",
        "404" => "Not Found",
        "486" => "Busy Here",
        "487" => "Request Terminated",
        "503" => "Service Unavailable",
        "603" => "Decline",
        _ => "Whatever",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(lines: &str) -> String {
        Script { name: "test", uri: "sip:carol@192.0.2.1", from: "sipp@192.0.2.9", lines }.xml().unwrap()
    }

    #[test]
    fn an_ack_to_a_refusal_has_the_branch_of_its_invite_and_one_to_a_200_its_own() {
        let refused = xml("> INVITE\n< 180?\n< 486\n> ACK");
        assert!(refused.contains("ACK sip:carol@192.0.2.1 SIP/2.0") && refused.contains("branch=[branch-3]"));
        let answered = xml("> INVITE\n< 200\n>> ACK\n>> BYE\n< 200");
        assert!(answered.contains("ACK [next_url]") && !answered.contains("[branch-"));
        assert!(answered.contains("CSeq: 1 ACK") && answered.contains("CSeq: 2 BYE"));
    }

    #[test]
    fn an_answer_that_is_late_repeats_the_fields_of_its_own_request() {
        let text = xml("< INVITE\n> 183 INVITE\n<< PRACK\n> 200 PRACK\n> 200 INVITE\n    sdp");
        assert_eq!(text.matches("[last_Via:]").count(), 2);
        assert_eq!(text.matches("[$via]").count(), 1);
        assert!(text.contains("<Reference variables=\"via,via2,"));
    }

    #[test]
    fn nonsense_is_refused() {
        for lines in ["INVITE", "> 200 INVITE", "    sdp\n  odd", "<- 200"] {
            let script = Script { name: "test", uri: "", from: "", lines };
            assert!(script.xml().is_err(), "{lines}");
        }
    }
}
