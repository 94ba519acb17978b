use crate::cli;
use crate::console::Console;
use crate::exit::{Exit, Failure, Outcome};
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use std::io::{self, Write};
use std::path::PathBuf;

/// Prints the manual: all of it as one page, or with --out a page for each command.
#[derive(Debug, Args)]
#[command(before_help = "Example: ringback man | man -l -")]
pub(crate) struct Arguments {
    /// Writes ringback.1, ringback-user-add.1, .. into this folder, for /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments, console: &Console) -> Outcome {
    let mut command = with_examples(cli::Arguments::command().disable_help_subcommand(true));
    command.build();
    let Some(folder) = &arguments.out else {
        // A reader who has gone away is no reason to fail.
        let _ = io::stdout().write_all(&whole(&command).map_err(Failure::negative)?);
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command, folder))
        .map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
    console.say(format!("the manual is in {}", folder.display()));
    Ok(Exit::Done)
}

/// The example that stands above a command's help stands in its description.
fn with_examples(command: Command) -> Command {
    let mut text = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    if let Some(example) = command.get_before_help() {
        text += &format!("\n\n{example}");
    }
    command.long_about(text).mut_subcommands(with_examples)
}

/// One page: first the program, then each command under a heading of its own.
fn whole(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).manual("Ringback");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for command in command.get_subcommands() {
        add_command(&mut page, command)?;
    }
    writeln!(page, ".SH \"EXIT STATUS\"")?;
    let mut codes = Vec::new();
    man.render_extra_section(&mut codes)?;
    page.extend(
        String::from_utf8_lossy(&codes)
            .lines()
            .filter(|line| !line.starts_with(".SH"))
            .flat_map(|line| [line, "\n"])
            .flat_map(str::bytes),
    );
    Ok(page)
}

fn add_command(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    // What every command takes is said once, above.
    let command = command.clone().mut_args(|argument| {
        let everywhere = argument.is_global_set() || argument.get_id() == "help";
        argument.hide(everywhere)
    });
    let verbs: Vec<&Command> = command.get_subcommands().collect();
    if verbs.is_empty() {
        writeln!(page, ".SH \"{name}\"")?;
        let man = Man::new(command.clone());
        let mut sections = Vec::new();
        man.render_synopsis_section(&mut sections)?;
        man.render_description_section(&mut sections)?;
        if command.get_arguments().any(|argument| !argument.is_hide_set()) {
            man.render_options_section(&mut sections)?;
        }
        if command.get_after_help().is_some() {
            man.render_extra_section(&mut sections)?;
        }
        page.extend(String::from_utf8_lossy(&sections).replace(".SH ", ".SS ").bytes());
    }
    verbs.into_iter().try_for_each(|verb| add_command(page, verb))
}

#[cfg(test)]
mod tests {
    use super::{cli, whole, with_examples};
    use clap::{Command, CommandFactory};

    fn names(command: &Command, to: &mut Vec<String>) {
        if !command.has_subcommands() {
            to.push(command.get_bin_name().unwrap().to_owned());
        }
        command.get_subcommands().for_each(|command| names(command, to));
    }

    #[test]
    fn every_command_is_in_the_manual_with_its_example() {
        let mut command = with_examples(cli::Arguments::command().disable_help_subcommand(true));
        command.build();
        let page = String::from_utf8(whole(&command).unwrap()).unwrap();
        let mut all = Vec::new();
        names(&command, &mut all);
        for name in all {
            let heading = format!(".SH \"{name}\"\n");
            let section = page.split(&heading).nth(1).unwrap_or_else(|| panic!("no {name}"));
            assert!(section.split("\n.SH").next().unwrap().contains("Example: "), "{name}");
        }
        assert!(page.contains("nobody answered"));
    }
}
