//! Values of fields, written without the formatting machinery: there are several in each message that is forwarded.

use std::fmt::{self, Write};
use std::net::SocketAddr;

/// Text that needs no allocation as long as it is short.
#[derive(Debug)]
pub(crate) struct Text {
    short: [u8; SHORT],
    length: usize,
    /// All of it, when it is longer than that.
    long: Vec<u8>,
}

const SHORT: usize = 128;

impl Text {
    pub(crate) fn new() -> Text {
        Text { short: [0; SHORT], length: 0, long: Vec::new() }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Text {
        self.push_bytes(text.as_bytes());
        self
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        if let Some(place) = self.short.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
        } else {
            if self.long.is_empty() {
                self.long.extend_from_slice(&self.short[..self.length]);
            }
            self.long.extend_from_slice(bytes);
        }
        self.length += bytes.len();
    }

    pub(crate) fn push_number(&mut self, number: u16) -> &mut Text {
        let mut digits = [0; 5];
        let mut rest = number;
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push_bytes(&digits[at..]);
        self
    }

    pub(crate) fn push_address(&mut self, address: SocketAddr) -> &mut Text {
        match address {
            SocketAddr::V4(v4) => {
                for (n, octet) in v4.ip().octets().into_iter().enumerate() {
                    self.push(if n > 0 { "." } else { "" }).push_number(octet.into());
                }
                self.push(":").push_number(v4.port());
            }
            SocketAddr::V6(_) => {
                let _ = write!(self, "{address}"); // writing to memory cannot fail
            }
        }
        self
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.short.get(..self.length).unwrap_or(&self.long)).unwrap_or_default() // it is made of nothing else
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Text;
    use std::net::SocketAddr;

    #[test]
    fn numbers_and_addresses_look_as_ever() {
        for number in [0, 7, 10, 60, 99, 100, 5060, 65535] {
            assert_eq!(Text::new().push_number(number).as_str(), number.to_string());
        }
        for address in ["1.20.255.0:5060", "0.0.0.0:0", "[::1]:5060", "[2001:db8::9]:65535"] {
            let parsed: SocketAddr = address.parse().expect("an address");
            assert_eq!(Text::new().push_address(parsed).as_str(), address);
        }
        for lengths in [[127, 1, 1], [128, 0, 1], [129, 1, 1], [100, 29, 0]] {
            let parts: Vec<String> =
                lengths.into_iter().zip(["a", "b", "c"]).map(|(n, letter)| letter.repeat(n)).collect();
            let mut text = Text::new();
            for part in &parts {
                text.push(part);
            }
            assert_eq!(text.as_str(), parts.concat());
        }
        assert_eq!(Text::new().push("a").push("").push("ü").as_str(), "aü");
    }
}
