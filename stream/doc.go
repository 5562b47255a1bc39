// Package stream reads the journal in order and folds it exactly once; follows facts.
//
// A [Reader] takes the partitions of the journal by lease, so that each has one reader among all replicas, and folds run
// after run of items: what the step writes and the checkpoint behind the run are committed in one transaction, which
// fails when a later epoch of the lease has been there. So an item takes effect once, whatever dies when.
//
// [Fold], [Each] and [Follow] go over the facts that the store keeps. Fold moves its cursor in the step's own
// transaction: exactly once. Each acts outside first: at least once, and the fact's lane and number tell repeats apart.
// Follow keeps no cursor: it is for whoever looks on.
//
//	checkpoint (name, partition) → stream, sequence, index, epoch
//	cursor (name, lane) → number of the last fact
//	dead_letter (tenant, id) → an item that cannot be folded, and why
package stream
