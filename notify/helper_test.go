package notify_test

import (
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

var storetestSQLite = storetest.SQLite

type tenant = store.Tenant
