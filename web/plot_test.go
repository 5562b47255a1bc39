package web

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tocsin.dev/api"
)

// TestScale: an axis ends at a round number that has room for the most, in two to five steps.
func TestScale(t *testing.T) {
	for _, c := range []struct {
		most  float64
		whole bool
		want  []float64
	}{
		{17, true, []float64{20, 15, 10, 5, 0}}, {1, true, []float64{1, 0}}, {0, true, []float64{1, 0}}, {math.NaN(), true, []float64{1, 0}}, {100, true, []float64{100, 75, 50, 25, 0}},
		{2.4, true, []float64{3, 2, 1, 0}}, {0.7, false, []float64{0.8, 0.6, 0.4, 0.2, 0}}, {1300, true, []float64{1500, 1000, 500, 0}},
	} {
		got := scaleTo(c.most, c.whole)
		if !slices.EqualFunc(got.Ticks, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) || math.Abs(got.Most-c.want[0]) > 1e-9 {
			t.Errorf("%v: %v", c.most, got)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		most := math.Exp(12*r.Float64() - 2)
		s := scaleTo(most, r.IntN(2) == 0)
		if s.Most < most*(1-1e-9) || len(s.Ticks) < 2 || len(s.Ticks) > 6 || s.Ticks[len(s.Ticks)-1] != 0 || s.down(most, 100) < -1e-9 || s.down(0, 100) != 100 {
			t.Fatalf("%v: %v", most, s)
		}
	}
}

// TestHeatMap: Monday 0:00 stands at the top left, Sunday 23:00 at the bottom right; what is not never is not drawn as never.
func TestHeatMap(t *testing.T) {
	hours := make([]float64, 168)
	hours[0], hours[167], hours[24+9] = 1, 0.01, 0.2
	cells := heatMap(hours)
	if len(cells) != 168 {
		t.Fatal(len(cells))
	}
	for _, c := range []struct {
		i     int
		x, y  float64
		class string
	}{{0, 0, 0, "heat-5"}, {167, 23.0 / 24, 6 * heatRow, "heat-1"}, {33, 9.0 / 24, heatRow, "heat-3"}, {1, 1.0 / 24, 0, "heat-0"}} {
		got := cells[c.i]
		if math.Abs(got.X-c.x) > 1e-9 || got.Y != c.y || got.Class != c.class {
			t.Errorf("%d: %+v", c.i, got)
		}
	}
	if heatMap(nil) != nil || shareWord(0.001) != "under 1 %" || shareWord(0) != "0 %" {
		t.Error(shareWord(0.001))
	}
}

func TestHoursSay(t *testing.T) {
	hours := make([]float64, 168)
	for d := range 5 {
		for h := 8; h < 17; h++ {
			hours[24*d+h] = 0.6
		}
	}
	if got, want := hoursSay(hours, "Europe/Berlin"), "Sends mail mostly Monday to Friday, between 08:00 and 17:00 (Europe/Berlin). Hardly ever on Saturday and Sunday."; got != want {
		t.Error(got)
	}
	if got := hoursSay(make([]float64, 168), ""); got != "Mail is sent too rarely for an hour to stand out." {
		t.Error(got)
	}
}

// TestVolumePlot: a bar stands within its day, the band behind it; what is above the band is counted, and pins find the day.
func TestVolumePlot(t *testing.T) {
	var days []api.PersonaDay
	for i := range 60 {
		if i%7 > 4 {
			continue // days without mail are left out
		}
		d := api.PersonaDay{Day: time.Date(2026, 3, 2+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), Sent: 10, Usual: 10, Low: 5, High: 15}
		if i == 30 {
			d.Sent = 31
		}
		days = append(days, d)
	}
	v := volumeOf(days, "")
	if v.Above != 1 || v.Scale.Most != 40 || len(v.Bars) != len(days) || len(v.Band) != len(days) || v.Days != 60 {
		t.Errorf("%d above, %d bars, %d days, %v", v.Above, len(v.Bars), v.Days, v.Scale)
	}
	for i, b := range v.Bars {
		band := v.Band[i]
		if b.X < band.X || b.X+b.W > band.X+band.W+1e-9 || b.Y < 0 || b.Y+b.H > v.Height+1e-9 || band.X < -1e-9 || band.X+band.W > 1+1e-9 {
			t.Errorf("%+v in %+v", b, band)
		}
	}
	x, ok := v.at("2026-04-01")
	if !ok || math.Abs(x-30.5/60) > 1e-9 {
		t.Error(x, ok)
	}
	if _, ok := v.at("2026-02-01"); ok {
		t.Error("a day before the plot is on it")
	}
	for _, tick := range v.Ticks {
		if tick.X < 0 || tick.X > 1 {
			t.Error(tick)
		}
	}
	if len(v.Ticks) < 3 || len(v.Ticks) > 6 {
		t.Error(v.Ticks)
	}
	if x, ok := ptr(volumeOf(days, "2026-05-02")).at("2026-05-02"); !ok || x > 1 || x < .98 {
		t.Error("an anomaly of a day without mail has no place")
	}
	if none := volumeOf(nil, ""); none.Says == "" || len(none.Bars) > 0 {
		t.Error(none)
	}
}

func TestUnstack(t *testing.T) {
	pins := []plotPin{{X: .5, Y: 20}, {X: .51, Y: 20}, {X: .5, Y: 20}, {X: .9, Y: 20}}
	unstack(pins, .05)
	for i, a := range pins {
		for _, b := range pins[:i] {
			if math.Abs(a.X-b.X) < .05 && math.Abs(a.Y-b.Y) < 17 {
				t.Errorf("%v lies on %v", a, b)
			}
		}
	}
	if pins[3].Y != 20 {
		t.Error("one that lies alone was moved")
	}
}

// TestGraphLayout: the same graph is laid out the same, in whatever order it comes; the odd edge is drawn last and its nodes keep their
// room where there is not enough for all; both ways of an edge are one line.
func TestGraphLayout(t *testing.T) {
	var g api.PersonaGraph
	for i := range 40 {
		g.Nodes = append(g.Nodes, api.PersonaGraphNode{ID: fmt.Sprintf("d%02d", i), Name: fmt.Sprint("Department ", i), Kind: "department"}, api.PersonaGraphNode{ID: fmt.Sprintf("h%02d", i), Name: fmt.Sprint("host", i), Kind: "domain", Outside: true})
		g.Edges = append(g.Edges, api.PersonaGraphEdge{From: fmt.Sprintf("d%02d", i), To: fmt.Sprintf("h%02d", (i*7)%40), Mails: 1000 - 20*i},
			api.PersonaGraphEdge{From: fmt.Sprintf("d%02d", i), To: fmt.Sprintf("d%02d", (i+1)%40), Mails: 50}, api.PersonaGraphEdge{From: fmt.Sprintf("d%02d", i), To: fmt.Sprintf("d%02d", i), Mails: 5})
	}
	g.Edges = append(g.Edges, api.PersonaGraphEdge{From: "h00", To: "d00", Mails: 3}, api.PersonaGraphEdge{From: "d39", To: "h39", Mails: 1, Odd: true, New: true, Why: "Nobody wrote there."})
	want := layoutOf(g)
	if len(want.Left) != graphMost || len(want.Right) != graphMost || want.Hidden != 2*(40-graphMost) {
		t.Errorf("%d and %d nodes, %d hidden", len(want.Left), len(want.Right), want.Hidden)
	}
	last := want.Lines[len(want.Lines)-1]
	if !last.Odd || last.Class != "odd" || !slices.ContainsFunc(want.Left, func(n graphNode) bool { return n.ID == "d39" && n.Odd }) {
		t.Errorf("the odd edge is not on top: %+v", last)
	}
	if !slices.ContainsFunc(want.Lines, func(l graphLine) bool {
		return l.From == "Department 0" && l.To == "host0" && l.There == 1000 && l.Back == 3
	}) {
		t.Error("the two ways of an edge are not one line")
	}
	for _, side := range [][]graphNode{want.Left, want.Right} {
		for _, n := range side {
			if n.Y < 0 || n.Y > want.Height {
				t.Errorf("%s stands at %v of %v", n.ID, n.Y, want.Height)
			}
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		shuffled := api.PersonaGraph{Nodes: slices.Clone(g.Nodes), Edges: g.Edges}
		r.Shuffle(len(shuffled.Nodes), func(i, j int) { shuffled.Nodes[i], shuffled.Nodes[j] = shuffled.Nodes[j], shuffled.Nodes[i] })
		if got := layoutOf(shuffled); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatal("another order of the nodes is another layout")
		}
	}
}

func TestWeekNumbers(t *testing.T) {
	for _, day := range []string{"2026-03-02", "1970-01-05", "2031-12-29"} {
		if got := weekDay(weekNumber(day)).Format(time.DateOnly); got != day {
			t.Error(day, got)
		}
	}
}

func ptr[T any](v T) *T { return &v }
