package inbox

import (
	"os"
	"testing"

	"tocsin.dev/store/storetest"
)

// TestMain looks at the plans of what the tests asked of the store.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
