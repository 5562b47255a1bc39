package work

import (
	"os"
	"testing"

	"tocsin.dev/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
