//! Plain sqlx at the same points.

use crate::campaign::Front;

pub(super) async fn attack(_front: &Front) {}
