/// What a source has done that counts against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offence {
    /// It has tried to prove who it is, and failed.
    WrongCredentials,
    /// It has asked for a user who does not exist, without having proved who it is.
    UnknownUser,
    /// What it sent is no message.
    Malformed,
    /// It calls itself by the name of a tool that looks for other people's exchanges.
    Scanner,
}
