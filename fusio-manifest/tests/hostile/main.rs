//! The engine against stores that lie and objects that are made to harm: an error that says what is wrong, by the
//! deadline, and never a panic, a wrong value, or the word that a commit is durable which is not.
//!
//! What is done is data: a list of cases for each kind of store. `expected.txt` says what each caller must see; the test
//! that compares prints the table. In memory time is virtual; over a socket the deadlines are short and real.

#[cfg(test)]
#[cfg(feature = "s3")]
mod answers;
#[cfg(test)]
mod forged;
#[cfg(test)]
mod liar;
#[cfg(test)]
mod lies;
#[cfg(test)]
#[cfg(feature = "s3")]
mod server;
#[cfg(test)]
#[cfg(feature = "s3")]
mod sockets;
#[cfg(test)]
mod table;
#[cfg(test)]
mod world;
#[cfg(test)]
mod wrong_etags;
