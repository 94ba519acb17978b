//! What every engine is given from outside: time, chance and timers
