//! What every operator binary shares.
