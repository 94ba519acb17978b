//! No allocation per header field: what a proxy asks of a message costs the same few, however many fields it has.
#![allow(unsafe_code)] // an allocator can be counted in no other way; this one is never part of the program

use bytes::Bytes;
use sip_message::{Edit, HeaderName, Message};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is handed to the system's allocator as it is; counting touches a thread's own cell, which needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` gives, and how often it allocated.
fn counted<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = COUNT.with(Cell::get);
    let result = work();
    (result, COUNT.with(Cell::get) - before)
}

/// An INVITE with eight fields and this many more.
fn invite(more: usize) -> Bytes {
    let fields: String = (0..more).map(|n| format!("X-Field-{n}: value, \"another\" <sip:x@y>\r\n")).collect();
    Bytes::from(format!(
        "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         Route: <sip:192.0.2.9;lr>\r\n{fields}From: \"A\" <sip:a@b>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: c\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n\r\n"
    ))
}

#[test]
fn parsing_allocates_once_however_many_fields_there_are() {
    for more in 0..=16 {
        let bytes = invite(more);
        let (message, allocations) = counted(|| Message::parse(bytes));
        assert_eq!((message.is_ok(), allocations), (true, 1), "{more} more fields");
    }
    let (message, allocations) = counted(|| Message::parse(invite(200)).map(|message| message.all_fields().count()));
    assert_eq!(message.ok(), Some(208));
    // The invite itself costs one for each field and a few more; the table of fields grows by doubling.
    let (_, making) = counted(|| invite(200));
    assert!(allocations - making <= 5, "{allocations} - {making}");
}

#[test]
fn what_routing_needs_is_read_without_allocating() {
    let message = Message::parse(invite(8)).expect("a message");
    let ((), allocations) = counted(|| {
        assert_eq!(message.top_via().expect("a Via").branch(), Some("z9hG4bK1"));
        assert_eq!((message.from_tag(), message.to_tag(), message.call_id()), (Some("1"), None, "c"));
        assert_eq!(message.cseq().expect("a CSeq").number, 1);
        assert_eq!(message.max_forwards(), Ok(Some(70)));
        assert_eq!(message.request_uri_parsed().expect("a URI").user, Some("bob"));
        assert_eq!(message.first_route().expect("a Route").expect("an address").uri, "sip:192.0.2.9;lr");
    });
    assert_eq!(allocations, 0);
}

#[test]
fn forwarding_allocates_the_same_for_few_fields_and_for_many() {
    let forward = |more| {
        let message = Message::parse(invite(more)).expect("a message");
        counted(|| {
            Edit::new(&message)
                .request_uri("sip:bob@192.0.2.4")
                .stamp_via("192.0.2.1:5060".parse().expect("an address"))
                .prepend(HeaderName::Via, "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK2")
                .prepend(HeaderName::RecordRoute, "<sip:192.0.2.9;lr>")
                .set(HeaderName::MaxForwards, 69)
                .remove_first_values(HeaderName::Route, 1)
                .finish()
        })
        .1
    };
    assert_eq!((forward(0), forward(16)), (forward(100), forward(200)));
    assert!(forward(0) <= 3, "{}", forward(0));
}
