//! One file per command.

pub(crate) mod answer;
pub(crate) mod ban;
pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod inspect;
pub(crate) mod load;
pub(crate) mod man;
pub(crate) mod message;
pub(crate) mod options;
pub(crate) mod reg;
pub(crate) mod register;
pub(crate) mod route;
pub(crate) mod serve;
pub(crate) mod user;

mod configured;
mod counter;

use crate::cli::{Arguments, Command};
use crate::console::Console;
use crate::exit::{Failure, Outcome};

/// Runs what was asked for; with no command, the exchange.
pub(crate) fn run(arguments: Arguments, console: &Console) -> Outcome {
    let Some(mut command) = arguments.command else { return serve::run(&arguments.serve, console) };
    let outer = arguments.serve.configured;
    if !outer.is_empty() {
        let configured = match &mut command {
            Command::Serve(arguments) => Some(&mut arguments.configured),
            Command::User(arguments) => Some(arguments.configured()),
            Command::Reg(arguments) => Some(arguments.configured()),
            Command::Calls(arguments) => Some(arguments.configured()),
            Command::Ban(arguments) => Some(arguments.configured()),
            Command::Config(arguments) => arguments.configured(),
            Command::Route(arguments) => Some(arguments.configured()),
            Command::Deploy(arguments) => Some(arguments.configured()),
            _ => None,
        };
        let configured = configured.ok_or_else(|| Failure::usage("this command takes no --config, --data or --set"))?;
        configured.inherit(outer);
    }
    match command {
        Command::Serve(arguments) => serve::run(&arguments, console),
        Command::Demo(arguments) => demo::run(&arguments, console),
        Command::User(arguments) => user::run(arguments, console),
        Command::Reg(arguments) => reg::run(arguments, console),
        Command::Calls(arguments) => calls::run(arguments, console),
        Command::Ban(arguments) => ban::run(arguments, console),
        Command::Register(arguments) => register::run(&arguments, console),
        Command::Call(arguments) => call::run(&arguments, console),
        Command::Answer(arguments) => answer::run(&arguments, console),
        Command::Message(arguments) => message::run(&arguments, console),
        Command::Options(arguments) => options::run(&arguments, console),
        Command::Load(arguments) => load::run(&arguments, console),
        Command::Deploy(arguments) => deploy::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments, console),
        Command::Config(arguments) => config::run(arguments, console),
        Command::Route(arguments) => route::run(&arguments, console),
        Command::Inspect(arguments) => inspect::run(&arguments, console),
    }
}
