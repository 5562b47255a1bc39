package notify_test

import "tocsin.dev/store/storetest"

var storetestSQLite = storetest.SQLite
