//! Which operations each function's own clients ask for, for a comparison with what its role allows.

use std::fs::{self, File};
use std::path::Path;

use super::call::{Call, Operation};
use super::dynamo;

/// Names the folder that they are written to; unset, nothing is.
const FOLDER: &str = "OPERATIONS_SEEN";

/// Leaves an empty file `<folder>/<who>/<operation>`; `who` has signed the request. A transaction leaves one for each kind
/// of its writes too, for those are what a role must allow.
pub(super) fn operation(call: &Call) {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    if call.operation == Operation::Unknown {
        return;
    }
    let authorization = call.header("authorization").unwrap_or_default();
    let signer = authorization.split_once("Credential=");
    let Some((who, _)) = signer.and_then(|(_, rest)| rest.split_once('/')) else {
        return;
    };
    let folder = Path::new(&folder).join(who);
    let mut names = vec![format!("{:?}", call.operation)];
    if call.operation == Operation::TransactWriteItems {
        names.extend(dynamo::writes_of(&call.body));
    }
    for name in names {
        let left = fs::create_dir_all(&folder).and_then(|()| File::create(folder.join(name)));
        left.expect("the folder of the operations that were seen");
    }
}
