use std::fmt;

macro_rules! methods {
    ($($variant:ident = $text:literal),* $(,)?) => {
        /// A request method (RFC 3261 section 7.1 and the extensions), or `Other` for one that we do not know by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = $text] $variant,)*
            /// An extension method; its text is in the message.
            Other,
        }

        impl Method {
            /// Every method known by name.
            pub const ALL: &'static [Method] = &[$(Method::$variant),*];

            /// The method with this name. Names are case-sensitive (RFC 3261 section 7.1).
            pub fn from_bytes(name: &[u8]) -> Method {
                $(if name == $text.as_bytes() { return Method::$variant; })*
                Method::Other
            }

            /// The name on the wire; "OTHER" for [`Method::Other`], whose real name only the message knows.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Method::$variant => $text,)*
                    Method::Other => "OTHER",
                }
            }
        }
    };
}

methods! {
    Invite = "INVITE", Ack = "ACK", Bye = "BYE", Cancel = "CANCEL", Options = "OPTIONS", Register = "REGISTER",
    Prack = "PRACK", Update = "UPDATE", Info = "INFO", Refer = "REFER", Subscribe = "SUBSCRIBE", Notify = "NOTIFY",
    Publish = "PUBLISH", Message = "MESSAGE",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
