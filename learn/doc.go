// Package learn knows what is usual for each person who sends mail, and says how odd a day is. It is pure: metadata goes in
// (who wrote to whom, when, with or without attachments; that a mailbox rule was made), personas and verdicts come out.
//
// # How it goes
//
// A [Model] is one tenant. Mails and rules are put into it as they come, in any order within the days that are open. [Model.Close]
// judges each person's day against what was known before it, and then learns it. What was learned decays by a half-life (30 days),
// and a day that alarmed is learned at a quarter. What a person has too little of is filled up from their group of peers where
// the caller knows one (a department, a title), and that from the tenant: every rate is an empirical-Bayes mean.
//
// Everything has its room. A [Persona] rests as 2.5 KB of bytes at most, mostly one, and is taken apart once a day: what is kept in
// a table is what the model itself goes on with, so a model restored after a crash is the one that never stopped. Of a person's open
// day a sample is kept beyond 256 mailings and 512 mails that came (those whose hashes are least: the same in any order; all are
// counted). The tenant remembers 32,768 outside domains and 65,536 recipients, those written to most; persons of whom nothing was heard for 13
// half-lives are forgotten.
//
// From a day come statistics (features), each a log-likelihood ratio or −log of a tail probability:
//
//   - strangers: who is written to. A correspondent is new with the person's own rate; of a kind (nobody in common, some, a
//     circle; a domain the person knows, the tenant knows, nobody knows; who wrote first; in a wide mailing) with the
//     tenant's Dirichlet frequencies; a known one comes with their share; one who looks like somebody known (a domain one letter
//     off, a correspondent's name at another domain) with the tenant's rate of such. After Heard and Rubin-Delanchy 2016
//     (https://doi.org/10.1214/15-AOAS892), who score a network's edges by a hierarchy of Dirichlet processes.
//   - spread: how many are written to for the first time, unasked, unanswered: the tail of a negative binomial with the person's mean
//     and overdispersion.
//   - volume: how many mails, on a day that is usual or quiet. A quiet day is one on which the whole tenant sends less than 45 % of
//     its busiest weekday: weekends and holidays are not told, they are learned.
//   - hours: for each hour of the day in which something was sent, the ratio of a day without night to the share of days on which
//     the person sends in it. Hours in a row are one sitting, what answers a mail that just came, or is answered at once, counts less.
//   - files: for the outside domain of the day where this is most so, that it is new to the person, that mails there carry attachments,
//     how many, and that an address there is like the person's own.
//   - drift: for the outside correspondent who gets more week after week, a rate that grows from nothing against weeks that are
//     exchangeable and overdispersed; and that nobody answers.
//   - rules: that a mailbox rule was made, by what it does and at which hour.
//
// # How it is calibrated
//
// A statistic becomes a probability by its distribution over the tenant's person-days, decayed, with an exponential tail fitted
// between its 5 % and its 1 % (peaks over threshold, https://doi.org/10.1214/aos/1176343003), so that the few attacks that
// are in it do not hide each other; and by how often this person passes the tenant's 10 % and 1 %. What a whole tenant has in
// common on a day is taken out: everybody's clock was shifted, or the mail system changed. The statistics of a class
// are added up and calibrated once more. The classes come together in one likelihood ratio of an attack against a usual day: by Neyman and
// Pearson (1933, https://doi.org/10.1098/rsta.1933.0009) no other order of days finds more at as many false alarms. Usual days are calibrated, so
// their density is known; that of attacks is learned from small attacks which are thought into each day that is judged (some colleagues of
// colleagues more, some mails in hours that are used little, some attachments to a new domain): [strength]. Where attacks of a class would stand
// far out, only what stands far out counts; that is calibrated last. A day alarms below the probability
// that makes as many false alarms as the budget allows per person and month; when more come than that, the threshold goes down
// (Gibbs and Candès 2021, adaptive conformal inference, https://arxiv.org/abs/2106.00170).
//
// # The classes
//
//   - [RuleManipulation]: rules, with hours and strangers of the same day.
//   - [Exfiltration]: files, with spread.
//   - [Graph]: strangers and spread, with volume and hours: a mailbox taken over, a fan-out.
//   - [OffHours]: hours.
//   - [Drift]: drift.
//
// How well that does is measured by "make accuracy" (docs/accuracy.md has the table), and on anybody's own mail by
// "tocsin backtest --inject".
package learn
