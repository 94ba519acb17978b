use super::problem::Problem;
use super::value::Value;
use routing::Zone;

/// The time zone of that name; of none, this machine's.
pub(super) fn read(value: &Value, key: &str) -> Result<Zone, Problem> {
    let text = value.text(key)?;
    if text.is_empty() {
        return Ok(machine_zone());
    }
    Zone::parse(&text)
        .map_err(|wanted| value.problem(format!("{text:?} is no time zone"), format!("{wanted} is needed")))
}

/// What TZ says, or else /etc/localtime, or else /etc/timezone; UTC where nothing says anything that the database knows.
fn machine_zone() -> Zone {
    let variable = std::env::var("TZ").ok();
    let link = std::fs::read_link("/etc/localtime").ok().and_then(|path| path.into_os_string().into_string().ok());
    let file = std::fs::read_to_string("/etc/timezone").ok();
    let names = [variable, link, file];
    names.iter().flatten().find_map(|text| Zone::parse(zone_name(text)).ok()).unwrap_or_default()
}

/// `:Europe/Berlin`, `/usr/share/zoneinfo/Europe/Berlin`: the database's own name.
fn zone_name(text: &str) -> &str {
    let text = text.trim().trim_start_matches(':');
    text.rsplit_once("/zoneinfo/").map_or(text, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::zone_name;

    #[test]
    fn the_ways_in_which_machines_name_their_zone() {
        for text in [
            "Europe/Berlin\n",
            ":Europe/Berlin",
            "/usr/share/zoneinfo/Europe/Berlin",
            "../usr/share/zoneinfo/Europe/Berlin",
        ] {
            assert_eq!(zone_name(text), "Europe/Berlin");
        }
    }
}
