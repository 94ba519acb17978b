use crate::text::{find_unquoted, is_digits, is_lws, trim_lws};
use crate::{BadValue, Contacts, HeaderName, Method, NameAddr, Uri, Via};
use bytes::Bytes;
use bytestring::ByteString;

/// A SIP message: the bytes that came, and where its parts are in them.
#[derive(Debug, Clone)]
pub struct Message {
    /// The head, found to be UTF-8 when it was parsed; all of the message where all of it is.
    pub(crate) text: ByteString,
    /// All of it, where the body is no text. Boxed because that is seldom.
    pub(crate) binary: Option<Box<Bytes>>,
    pub(crate) start: Start,
    pub(crate) slots: Vec<Slot>,
    /// The names of the fields that there are, as bits; two names share one.
    pub(crate) seen: u64,
    /// Whether no field's value has a line break in it.
    pub(crate) unfolded: bool,
    /// Where the empty line behind the header begins.
    pub(crate) head_end: u16,
    pub(crate) body: Span,
}

/// From where to where, in bytes of the message.
pub(crate) type Span = (u16, u16);

#[derive(Debug, Clone)]
pub(crate) enum Start {
    Request { method: Method, method_at: Span, uri: Span },
    Response { status: u16, reason: Span },
}

/// One header field's place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) name: HeaderName,
    pub(crate) name_length: u8,
    /// Where its line begins, and with it its name.
    pub(crate) line: u16,
    pub(crate) value: Span,
}

/// One header field as written.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// Its name, when we know it.
    pub name: HeaderName,
    /// Its name as written.
    pub name_text: &'a str,
    /// Its value without the white space around it; line breaks of a folded value are still inside.
    pub value: &'a str,
}

/// The value of CSeq (RFC 3261 section 20.16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number.
    pub number: u32,
    /// The method.
    pub method: Method,
    /// The method as written.
    pub method_text: &'a str,
}

/// delta-seconds: a number of seconds; one beyond 2^32-1 counts as that.
pub(crate) fn seconds(text: &str) -> Option<u32> {
    (!text.is_empty() && is_digits(text)).then(|| text.parse().unwrap_or(u32::MAX))
}

impl Message {
    /// The whole message as it came.
    pub fn bytes(&self) -> &Bytes {
        self.binary.as_deref().unwrap_or(self.text.as_bytes())
    }

    /// The text at a span.
    pub(crate) fn text(&self, span: Span) -> &str {
        self.text.get(usize::from(span.0)..usize::from(span.1)).unwrap_or("")
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method of a request; of a response, that of its CSeq.
    pub fn method(&self) -> Method {
        match self.start {
            Start::Request { method, .. } => method,
            Start::Response { .. } => self.cseq().map_or(Method::Other, |cseq| cseq.method),
        }
    }

    /// The method as written.
    pub fn method_text(&self) -> &str {
        match self.start {
            Start::Request { method_at, .. } => self.text(method_at),
            Start::Response { .. } => self.cseq().map_or("", |cseq| cseq.method_text),
        }
    }

    /// The status code of a response, 0 of a request.
    pub fn status(&self) -> u16 {
        match self.start {
            Start::Request { .. } => 0,
            Start::Response { status, .. } => status,
        }
    }

    /// The Reason-Phrase of a response.
    pub fn reason(&self) -> &str {
        match self.start {
            Start::Request { .. } => "",
            Start::Response { reason, .. } => self.text(reason),
        }
    }

    /// The Request-URI as written; empty in a response.
    pub fn request_uri(&self) -> &str {
        match self.start {
            Start::Request { uri, .. } => self.text(uri),
            Start::Response { .. } => "",
        }
    }

    /// The Request-URI, parsed.
    pub fn request_uri_parsed(&self) -> Result<Uri<'_>, BadValue> {
        Uri::parse(self.request_uri())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes()[self.body.0 as usize..self.body.1 as usize]
    }

    /// The value of the first field of this name.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.slots_of(name).next().map(|slot| self.text(slot.value))
    }

    /// The value of every field of this name, one item a field.
    pub fn fields(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.slots_of(name).map(|slot| self.text(slot.value))
    }

    /// The places of every field of this name: most are asked for in vain.
    pub(crate) fn slots_of(&self, name: HeaderName) -> impl Iterator<Item = &Slot> {
        let slots = if self.seen & 1 << (name as u8 % 64) == 0 { &[][..] } else { &self.slots[..] };
        slots.iter().filter(move |slot| slot.name == name)
    }

    /// Every value of this name: of all its fields, and of each the values that commas part (RFC 3261 section 7.3.1).
    /// For fields whose grammar is a list.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &str> {
        self.fields(name).flat_map(split_commas)
    }

    /// The first of [`Message::values`].
    fn first_value(&self, name: HeaderName) -> Option<&str> {
        let field = self.header(name)?;
        Some(find_unquoted(field, b',').map_or(field, |comma| trim_lws(&field[..comma])))
    }

    /// Every field, in order.
    pub fn all_fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.slots.iter().map(|slot| Field {
            name: slot.name,
            name_text: self.text((slot.line, slot.line + u16::from(slot.name_length))),
            value: self.text(slot.value),
        })
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Result<Via<'_>, BadValue> {
        Via::parse(self.first_value(HeaderName::Via).ok_or(BadValue("Via is missing"))?)
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr<'_>, BadValue> {
        NameAddr::parse(self.header(HeaderName::From).ok_or(BadValue("From is missing"))?)
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr<'_>, BadValue> {
        NameAddr::parse(self.header(HeaderName::To).ok_or(BadValue("To is missing"))?)
    }

    /// The tag of From.
    pub fn from_tag(&self) -> Option<&str> {
        self.from().ok()?.tag()
    }

    /// The tag of To.
    pub fn to_tag(&self) -> Option<&str> {
        let to = self.header(HeaderName::To).filter(|to| !to.ends_with('>'))?; // where it has no parameters at all
        NameAddr::parse(to).ok()?.tag()
    }

    /// Call-ID; empty when there is none.
    pub fn call_id(&self) -> &str {
        self.header(HeaderName::CallId).unwrap_or("")
    }

    /// CSeq. A number of 2^31 or more is an error (RFC 3261 section 8.1.1.5).
    pub fn cseq(&self) -> Result<CSeq<'_>, BadValue> {
        let text = self.header(HeaderName::CSeq).ok_or(BadValue("CSeq is missing"))?;
        let bad = BadValue("CSeq is not a number and a method");
        let (number, method) = text.split_at(text.bytes().position(is_lws).ok_or(bad)?);
        let method_text = trim_lws(&method[1..]); // behind the one space that most have
        if !is_digits(number) || !crate::text::is_token(method_text) {
            return Err(bad);
        }
        let number = number.parse().ok().filter(|n| *n < 1 << 31).ok_or(BadValue("CSeq number is 2^31 or more"))?;
        Ok(CSeq { number, method: Method::from_bytes(method_text.as_bytes()), method_text })
    }

    /// Contact: the star, or every address of every Contact field.
    pub fn contacts(&self) -> Result<Contacts<'_>, BadValue> {
        let mut list = Vec::new();
        let mut star = false;
        for value in self.values(HeaderName::Contact) {
            if trim_lws(value) == "*" {
                star = true;
            } else {
                list.push(NameAddr::parse(value)?);
            }
        }
        match (star, list.is_empty()) {
            (true, true) => Ok(Contacts::Star),
            (true, false) => Err(BadValue("Contact has a star and addresses")),
            (false, _) => Ok(Contacts::List(list)),
        }
    }

    /// The topmost Route.
    pub fn first_route(&self) -> Option<Result<NameAddr<'_>, BadValue>> {
        self.first_value(HeaderName::Route).map(NameAddr::parse)
    }

    /// Max-Forwards: `None` when there is none; a value above 255 is an error (RFC 3261 section 20.22).
    pub fn max_forwards(&self) -> Result<Option<u8>, BadValue> {
        let Some(text) = self.header(HeaderName::MaxForwards) else { return Ok(None) };
        let bad = BadValue("Max-Forwards is not a number from 0 to 255");
        seconds(text).and_then(|n| u8::try_from(n).ok()).map(Some).ok_or(bad)
    }

    /// Max-Breadth; `None` when there is none or it is no number (RFC 5393 section 5.3.1).
    pub fn max_breadth(&self) -> Option<u32> {
        self.header(HeaderName::MaxBreadth).and_then(seconds)
    }

    /// Every address of a field that is a list of them, such as Route, Path, P-Asserted-Identity or History-Info.
    pub fn addresses(&self, name: HeaderName) -> impl Iterator<Item = Result<NameAddr<'_>, BadValue>> {
        self.values(name).map(NameAddr::parse)
    }

    /// What the sender wants kept private: the values of Privacy, such as `id` (RFC 3323 section 4.2, whose semicolons part them).
    pub fn privacy(&self) -> impl Iterator<Item = &str> {
        self.fields(HeaderName::Privacy)
            .flat_map(|field| field.split([';', ',']))
            .map(trim_lws)
            .filter(|one| !one.is_empty())
    }

    /// Expires in seconds; `None` when there is none or it is no number.
    pub fn expires(&self) -> Option<u32> {
        self.header(HeaderName::Expires).and_then(seconds)
    }

    /// What is said about the first mandatory field (RFC 3261 section 8.1.1) that is not there.
    pub(crate) fn missing_field(&self) -> Option<&'static str> {
        const MANDATORY: [(HeaderName, &str); 5] = [
            (HeaderName::Via, "Via is missing"),
            (HeaderName::From, "From is missing"),
            (HeaderName::To, "To is missing"),
            (HeaderName::CallId, "Call-ID is missing"),
            (HeaderName::CSeq, "CSeq is missing"),
        ];
        MANDATORY.iter().find(|(name, _)| self.slots.iter().all(|slot| slot.name != *name)).map(|(_, text)| *text)
    }

    /// Ends the body where Content-Length says (RFC 3261 section 18.3).
    pub(crate) fn fit_body(&mut self) -> Result<(), &'static str> {
        let Some(text) = self.header(HeaderName::ContentLength) else { return Ok(()) };
        let length = seconds(text).ok_or("Content-Length is not a number")?;
        let end = u32::from(self.body.0).saturating_add(length);
        if end > u32::from(self.body.1) {
            return Err("Content-Length is more than what came");
        }
        self.body.1 = end as u16;
        Ok(())
    }

    /// Where `part`, which must be a piece of this message's text, begins.
    pub(crate) fn offset_of(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.text.as_ptr() as usize
    }
}

/// The values between the commas of one field's value; commas in quotes and angle brackets do not part.
pub fn split_commas(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match find_unquoted(text, b',') {
            Some(comma) => {
                rest = Some(&text[comma + 1..]);
                Some(trim_lws(&text[..comma]))
            }
            None => {
                rest = None;
                Some(trim_lws(text))
            }
        }
    })
}
