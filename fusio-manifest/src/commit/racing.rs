//! What the wire does about others who race for HEAD: by what its HEADs are known, and when it lets others go first.

use super::{body::Body, contention::Draws, wire::Wire};
use crate::{
    error::Result,
    id::{HandleTag, Nonce},
};

impl Wire {
    /// The nonce of this handle's next HEAD.
    pub(super) fn nonce(&mut self) -> Result<Nonce> {
        let entropy = &*self.io.access.entropy;
        let tag = match self.tag {
            Some(tag) => tag,
            None => *self.tag.insert(HandleTag::draw(entropy)?),
        };
        Ok(tag.nonce(entropy)?)
    }

    /// A body has landed: from now on others may go first, if this handle has met any lately.
    pub(super) fn won(&mut self, body: &Body) {
        let (get, put) = self.io.cache.latencies();
        let access = &self.io.access;
        self.contention.learn(&body.head.nonces);
        let own = HandleTag::of(body.nonce());
        if let (Ok(whether), Ok(how_long)) = (access.entropy.unit(), access.entropy.unit()) {
            let draws = Draws { whether, how_long };
            self.contention.won(access.clock.now(), own, get, put, draws);
        }
    }

    pub(super) fn lost_race(&mut self) {
        self.contention.lost_race(self.io.access.clock.now());
        if let Ok(current) = self.io.cache.current() {
            self.contention.learn(&current.state.head.nonces);
        }
    }

    /// Waits while others are to go first; false if there was nothing to wait for.
    pub(super) async fn let_others_go_first(&self) -> bool {
        let clock = &self.io.access.clock;
        match self.contention.pause(clock.now()) {
            Some(pause) => {
                clock.sleep(pause).await;
                true
            }
            None => false,
        }
    }
}
