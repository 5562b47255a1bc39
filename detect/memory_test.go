package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// A memory that went back is as it was, whatever was noted, forgotten or trimmed meanwhile.
func TestMemoryGoesBack(t *testing.T) {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(1, 2))
	var m Memory
	type point struct {
		mark Mark
		was  map[noteKey][]Note
	}
	var points []point
	look := func() map[noteKey][]Note {
		out := map[noteKey][]Note{}
		for k, v := range m.notes {
			out[k] = append([]Note(nil), v...)
		}
		return out
	}
	act := func(i int) {
		key := fmt.Sprint(r.IntN(20))
		switch r.IntN(200) {
		case 0:
			m.Forget("kind", key)
		case 1:
			m.Trim(start.Add(time.Duration(i-3000) * time.Second))
		default:
			if r.IntN(3) > 0 { // one key overflows
				key = "0"
			}
			m.Add("kind", key, Note{At: start.Add(time.Duration(i) * time.Second), Value: fmt.Sprint(i)})
		}
	}
	for i := range 30_000 {
		if i%2500 == 0 {
			points = append(points, point{m.Mark(), look()})
		}
		act(i)
	}
	for len(points) > 2 {
		p := points[len(points)-1]
		points = points[:len(points)-1]
		if !m.Back(p.mark) {
			t.Fatal("it cannot go back")
		}
		if !reflect.DeepEqual(look(), p.was) {
			t.Fatalf("back at %d it is another", p.mark)
		}
		for i := range 100 {
			act(40_000 + i)
		}
		if !m.Back(p.mark) || !reflect.DeepEqual(look(), p.was) {
			t.Fatalf("back at %d a second time it is another", p.mark)
		}
	}
	m.LetGo(points[1].mark)
	if m.Back(points[0].mark) {
		t.Error("it went back behind what it let go of")
	}
	if !m.Back(points[1].mark) || !reflect.DeepEqual(look(), points[1].was) {
		t.Error("it cannot go back to what it kept")
	}
}
