use super::keys::TRUNK;
use super::problem::Problem;
use super::table::Table;
use super::value::Value;
use crate::exchange::is_host;
use routing::{Network, Trunk, Wanted};
use sip_message::{NextHop, Uri};

/// Reads one `[[trunk]]`.
pub(super) fn read(value: &Value, problems: &mut Vec<Problem>) -> Option<Trunk> {
    let before = problems.len();
    let table = Table::open(value, "a trunk", TRUNK, problems)?;
    let name = table.needed("name", problems);
    if let Some((name, at)) = &name
        && (name.is_empty() || name.contains(|letter: char| letter.is_control() || "*?\\".contains(letter)))
    {
        problems.push(at.problem(format!("{name:?} cannot be a trunk's name"), "a short text without * ? and \\"));
    }
    let host = |text: &str| {
        let wanted = Wanted("a host name, as certificates have it");
        if is_host(text) { Ok(text.to_owned()) } else { Err(wanted) }
    };
    let trunk = Trunk {
        name: name.map(|(name, _)| name).unwrap_or_default(),
        to: table.each("to", problems, place),
        from: table.each("from", problems, Network::parse),
        names: table.each("names", problems, host),
        trust_identity: table.take("trust_identity", problems, Value::switch).unwrap_or_default(),
    };
    if problems.len() == before && trunk.to.is_empty() && trunk.from.is_empty() && trunk.names.is_empty() {
        let what = format!("trunk {} leads nowhere, and nothing comes from it", trunk.name);
        problems.push(value.problem(what, "add to = [\"sip:..\"], or from = [\"..\"], or both"));
    }
    (problems.len() == before).then_some(trunk)
}

/// Where a trunk is.
fn place(text: &str) -> Result<String, Wanted> {
    let wanted = Wanted("a SIP URI without a user, such as \"sip:gw.example.net\" or \"sips:gw.example.net:5061\"");
    let uri = Uri::parse(text).map_err(|_| wanted)?;
    if NextHop::of(&uri).is_none() || uri.user.is_some() || !uri.headers.is_empty() {
        return Err(wanted);
    }
    Ok(text.to_owned())
}
