package api_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"tocsin.dev"
	"tocsin.dev/api"
	"tocsin.dev/store"
	"tocsin.dev/store/storetest"
)

// TestFilters asks every operation that reads for each of its filters, with each value it may have, on both databases: what
// comes is an answer or a refusal, and never a statement that one of them does not understand.
func TestFilters(t *testing.T) {
	storetest.Run(t, func(t *testing.T, st *store.Store) {
		thirty(t, st)
		s := serve(t, st)
		tried := 0
		for _, o := range api.Ops(nil) {
			if o.Changes() || o.Name == "facts stream" {
				continue
			}
			in := reflect.ValueOf(matrix[o.Name].in(acme))
			if in.Kind() != reflect.Struct {
				continue
			}
			for _, f := range reflect.VisibleFields(in.Type()) {
				name := f.Tag.Get("query")
				if name == "" || f.Anonymous {
					continue
				}
				for _, v := range valuesOf(f) {
					asked := reflect.New(in.Type()).Elem()
					asked.Set(in)
					asked.FieldByIndex(f.Index).Set(v)
					tried++
					if err := s.owner.Do(t.Context(), o.Name, asked.Interface(), nil); code(err) == tocsin.Internal || code(err) == "unknown" {
						t.Errorf("%s with %s %v: %v", o.Name, name, v, err)
					}
				}
			}
		}
		if tried < 200 {
			t.Errorf("%d were tried", tried)
		}
	})
}

// valuesOf are values for a filter: each of those it may have, or one of its kind.
func valuesOf(f reflect.StructField) (out []reflect.Value) {
	values := strings.Split(f.Tag.Get("enum"), ",")
	if values[0] == "" {
		values = []string{"user"}
	}
	switch f.Type.Kind() {
	case reflect.String:
		for _, v := range values {
			out = append(out, reflect.ValueOf(v).Convert(f.Type))
		}
	case reflect.Slice:
		for _, v := range values {
			one := reflect.MakeSlice(f.Type, 1, 1)
			one.Index(0).SetString(v)
			out = append(out, one)
		}
	case reflect.Bool:
		out = append(out, reflect.ValueOf(true))
	case reflect.Int:
		out = append(out, reflect.ValueOf(1))
	default:
		out = append(out, reflect.ValueOf(time.Now()))
	}
	return out
}
