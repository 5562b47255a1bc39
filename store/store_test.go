package store_test

import (
	"context"
	"testing"

	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

func TestOpens(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		if err := st.Ping(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}
