//! The calls that pass through a proxy, as seen by somebody who only watches: who talks to whom, since when, and how to end it.
