# make demo runs the product; make test is everything that must pass before a change lands; make alone lists the rest.
SHELL := /bin/bash
export CGO_ENABLED ?= 0
# The race detector sees all but SQLite itself: that is C made Go, whose races are not ours, and which it made twice as dear. (Nothing with
# generics or atomics may be left out: their uninstrumented copies would stand for everybody's.) How pointers are converted is not checked
# besides: nothing of ours does it. The pages' templates compile in a third of the time without inlining.
RACING := -race -gcflags='all=-d=checkptr=0' -gcflags='modernc.org/...=-race=false -d=checkptr=0' -gcflags='tocsin.dev/web=-l -d=checkptr=0'
RACE := CGO_ENABLED=1 go test $(RACING) -vet=off -parallel 2 -timeout 40m # lint has vetted

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## run the whole product against a simulated tenant with an attack in it
	go run ./cmd/tocsin demo

build: ## the binary, ./tocsin
	go build -trimpath -ldflags '-s -w' -o tocsin ./cmd/tocsin

test: setup lint ## every test, on SQLite and PostgreSQL and in headless Chromium, with the race detector
	$(RACE) ./server ./... # the longest first, beside the others

lint: ## formatting, vet, generated code
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt -w these: $$unformatted"; exit 1; }
	CGO_ENABLED=1 go vet $(RACING) ./... # built as the tests are, so that everything is compiled once
	.ci/generated

setup: ## install what the tests need and is missing (Debian packages)
	.ci/setup

generate: ## write what is generated anew
	go run github.com/a-h/templ/cmd/templ@v0.3.977 generate -path web
	go test ./store ./api ./server -run 'Schema|OpenAPI|Documents' -update

bench: ## the measured promises, as ratios within one run
	go test -run '^$$' -bench . -benchtime 2s ./...
	go test ./server -run TestFullSync -sync.users 100000 -v -timeout 60m
	go test ./server -run TestCampaign/sqlite -campaign.mailboxes 11000 -campaign.mails 3000 -v -timeout 60m
	go test ./inbox -run '^$$' -bench Fill -bench-mails 50000 -benchtime 1x -timeout 60m
	go test ./server -run TestStreamLoad -load.rate 5000 -load.for 60s -load.users 2000 -v -timeout 60m

SEEDS := 20
accuracy: ## what share of planted attacks package learn finds, beside simple detectors, over SEEDS seeds
	go test ./learn -run 'TestAccuracy|TestStorm|TestUntouched' -accuracy $(SEEDS) -calm $(SEEDS) -v -timeout 120m

KILLS := 100
RATE := 5000
PROVE := go test ./server -prove.kills $(KILLS) -prove.rate $(RATE) -v -timeout 300m

prove: setup prove-kills prove-cuts prove-fuzz ## the long proofs: KILLS kills of each kind, power cuts, fuzzing; some four hours
	$(RACE) ./server -run 'TestKill|TestActKill|TestInvestigationKill' -kills 50 -v
	go test ./server -run TestCampaign -campaign.mailboxes 11000 -campaign.mails 3000 -v -timeout 60m
	$(RACE) ./remediate -run TestEveryKindBrokenOff -breaks.all
	$(RACE) ./collect -run TestAttacks -attacks.all
	$(RACE) ./server -run TestCalls -calls.whole
	go test ./server -run TestHugeMailbox -huge 200000 -v
	go test ./inbox -run 'TestWeek|TestRealThreads' -mailbox 50000 -threads.all -v -timeout 60m
	go test ./server -run 'TestInboxKill|TestInboxDisplays' -inbox.kills 40 -display.mails 0 -v -timeout 60m
	go test ./server -run 'TestCanaryFaults|TestADayWithoutA429' -canary.whole -day.users 3000 -v -timeout 30m

prove-kills: ## KILLS kills of the server, of a log node, of the database, of all at once, at up to RATE changes a second
	$(PROVE) -run 'TestProveKills'

prove-cuts: ## KILLS power cuts of each kind: the server, the log, the database
	$(PROVE) -run 'TestProvePower'

prove-fuzz: ## fuzzing: the webhook and the opener 10 minutes each, every other parser 15 seconds
	.ci/fuzz 15s 10m

.PHONY: help demo build test lint setup generate bench accuracy prove prove-kills prove-cuts prove-fuzz
