// Package posture judges how a tenant is set: a table of checks over Graph's own objects, with no server and no network.
//
// A [Snapshot] is what `tocsin snapshot` writes: the tenant and its collections under the Graph paths they came from. [Judge]
// gives a [Result] per check: pass, fail, unknown with its reason, or excepted with who owns that and until when. What was not
// collected is unknown and never "no"; a collection that is there and empty is known to be empty.
//
// [Checks] is the whole table: what each looks at, how it is mended, and the ids of the benchmarks that ask the same: CISA SCuBA
// (https://github.com/cisagov/ScubaGear), CIS Microsoft 365 Foundations 5.0 and EIDSCA (https://maester.dev/docs/tests/eidsca).
package posture
