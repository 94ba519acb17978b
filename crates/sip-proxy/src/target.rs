use sip_message::{Edit, HeaderName};
use sip_transaction::Flow;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// Targets that one request may be forked to, those included that others turned out to be or pointed to; further ones are left out
/// (RFC 5393 is why there is a bound). The targets for when somebody is busy, and those for when nobody answers, may be as many again.
pub const TARGETS_MAX: usize = 20;

/// One place that a request may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The Request-URI that the request gets; `None` leaves it as it is.
    pub uri: Option<String>,
    /// How to get there.
    pub hop: Hop,
    /// Its preference in thousandths: equal ones are tried at once, lower ones when all higher ones have failed.
    pub q: u16,
    /// Values for Route, comma-separated, that go on top of the copy: the Path of a binding (RFC 3327 section 5.2). With
    /// [`Hop::Resolve`], the first of them is where the copy goes.
    pub routes: Option<String>,
    /// What is changed in the copy that goes there.
    pub edits: Edits,
    /// What takes its place, one after the other, when it cannot be reached or says so itself (430, 503): the other flows of one phone
    /// (RFC 5626 section 7), the next gateway. Whoever else has an answer has answered for all of them.
    pub fallbacks: Vec<Target>,
    /// Who says that the request may go there.
    pub named_by: NamedBy,
    /// Who answers for a call that goes there, if anybody does; handed back with [`Ask::Resolve`](crate::Ask), and nothing to the proxy.
    pub payer: Option<Arc<Payer>>,
}

/// Somebody whose calls are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payer {
    /// Their name.
    pub name: Box<str>,
    /// Calls that they may have at a time.
    pub calls: u32,
    /// Calls that they may begin within an hour.
    pub calls_per_hour: u32,
}

/// Who names a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// The proxy's parent, of itself.
    Parent,
    /// The request, in its Request-URI or its Route.
    Request,
    /// A 3xx, in its Contact.
    Redirection,
    /// Nobody: the flow of the dialog that the request is inside of is gone. Only the phone at its Request-URI is meant, wherever that
    /// is now.
    Dialog,
}

impl Target {
    /// The target `uri` as it is: no routes, no changes, q = 1.
    pub fn new(uri: Option<String>, hop: Hop) -> Target {
        Target {
            uri,
            hop,
            q: 1000,
            routes: None,
            edits: Edits::new(),
            fallbacks: Vec::new(),
            named_by: NamedBy::Parent,
            payer: None,
        }
    }
}

/// The next hop to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// This very flow: the one that a binding was registered over.
    Flow(Flow),
    /// Where the target's URI leads, by RFC 3263.
    Resolve,
}

/// Changes to the copy of a request that goes to one target.
pub type Edits = SmallVec<[HeaderEdit; 1]>;

/// One change. The fields that forwarding itself writes (Via, Route, Record-Route, Max-Forwards, Max-Breadth) are not to be
/// changed like this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderEdit {
    /// No field of this name goes on.
    Remove(HeaderName),
    /// One field of this name goes on, with this value.
    Set(HeaderName, String),
    /// A field goes on top of those of its name.
    Prepend(HeaderName, String),
    /// A field goes below all others.
    Append(HeaderName, String),
}

impl HeaderEdit {
    /// The copy with this change. A value is never put into a field that forwarding, or another change, may take away.
    pub(crate) fn apply<'m>(&self, edit: Edit<'m>) -> Edit<'m> {
        match self {
            HeaderEdit::Remove(name) => edit.remove(*name),
            HeaderEdit::Set(name, value) => edit.remove(*name).append(*name, value),
            HeaderEdit::Prepend(name, value) => edit.prepend(*name, value),
            HeaderEdit::Append(name, value) => edit.append(*name, value),
        }
    }

    fn name(&self) -> HeaderName {
        match self {
            HeaderEdit::Remove(name) | HeaderEdit::Set(name, _) => *name,
            HeaderEdit::Prepend(name, _) | HeaderEdit::Append(name, _) => *name,
        }
    }

    /// Whether nothing is left of `earlier` after this change.
    pub(crate) fn undoes(&self, earlier: &HeaderEdit) -> bool {
        matches!(self, HeaderEdit::Remove(_) | HeaderEdit::Set(..)) && self.name() == earlier.name()
    }
}

/// The longest that a [`TargetSet`] may have targets ring (seconds): timer C ends what rings longer.
pub const RING_S_MAX: u64 = 180;

/// Where a request may go, and what is to be done when nobody is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetSet {
    /// The targets of RFC 3261 section 16.5; none at all means 480.
    pub targets: Vec<Target>,
    /// Tried when the best answer is 486 or 600.
    pub on_busy: Vec<Target>,
    /// Tried when nobody has answered in time, or the best answer is 408 or 480.
    pub on_no_answer: Vec<Target>,
    /// How long `targets` may ring, from the first branch on, before `on_no_answer` is tried in their place. Whole seconds count, up to
    /// [`RING_S_MAX`].
    pub no_answer_after: Option<Duration>,
    /// How long the targets of one preference may ring before those of the next are tried in their place; without it, until they say no.
    pub ring: Option<Duration>,
    /// Whether the Contacts of a 3xx become targets (RFC 3261 section 16.5); otherwise it may be the caller's answer.
    pub recurse: bool,
}

impl From<Vec<Target>> for TargetSet {
    fn from(targets: Vec<Target>) -> TargetSet {
        TargetSet { targets, ..TargetSet::default() }
    }
}
