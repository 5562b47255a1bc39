package web

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
)

// graphView is what the page of who writes to whom shows.
type graphView struct {
	api.PersonaGraph
	Query   url.Values
	In      api.PersonaGraphIn
	Of      string // the name of the person that is filtered by
	Span    int    // weeks in the window
	At      int    // the window's last week, as its place in Weeks
	Lay     layout
	History []plotBar // mail by week
	Marks   []plotPin // weeks with anomalies
	Scale   scale
}

// graphRow is the height of a node's row, and graphMost how many nodes stand on one side.
const (
	graphRow  = 26
	graphMost = 26
)

// layout is the graph as it is drawn: the tenant's own nodes on the left, those outside on the right, each in a row.
type layout struct {
	Left, Right []graphNode
	Lines       []graphLine
	Height      float64
	Hidden      int // nodes that have no room
}

// graphNode is a node in its row.
type graphNode struct {
	api.PersonaGraphNode
	Y, R   float64
	Within int // mail among its own people
	Odd    bool
}

// graphLine joins two nodes, whatever way the mail went.
type graphLine struct {
	Path     string // 1,000 wide
	Class    string // usual, new, odd
	Width    float64
	Title    string
	X, Y     float64 // its middle: across as a share
	Odd      bool
	From, To string // names
	There    int    // mails the one way
	Back     int    // the other
}

// layoutOf lays a graph out. The same graph is always laid out the same: the nodes of the left stand by their mail, those of the right
// by where their lines come from, so that few cross.
func layoutOf(g api.PersonaGraph) layout {
	nodes := map[string]*graphNode{}
	var left, right []*graphNode
	odd := map[string]bool{}
	weight := map[string]int{}
	for _, e := range g.Edges {
		if e.Odd {
			odd[e.From], odd[e.To] = true, true
		}
		weight[e.From] += e.Mails
		weight[e.To] += e.Mails
	}
	for _, n := range g.Nodes {
		x := &graphNode{PersonaGraphNode: n, Odd: odd[n.ID]}
		nodes[n.ID] = x
		if n.Outside {
			right = append(right, x)
		} else {
			left = append(left, x)
		}
	}
	var l layout
	by := func(a, b *graphNode) int {
		if a.Odd != b.Odd {
			if a.Odd {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(weight[b.ID], weight[a.ID]), cmp.Compare(a.ID, b.ID))
	}
	cut := func(side []*graphNode) []*graphNode {
		slices.SortFunc(side, by) // the odd ones keep their room
		if len(side) > graphMost {
			for _, x := range side[graphMost:] {
				delete(nodes, x.ID)
			}
			l.Hidden += len(side) - graphMost
			side = side[:graphMost]
		}
		slices.SortFunc(side, func(a, b *graphNode) int {
			return cmp.Or(cmp.Compare(weight[b.ID], weight[a.ID]), cmp.Compare(a.ID, b.ID))
		})
		return side
	}
	left, right = cut(left), cut(right)
	row := map[string]int{}
	for i, x := range left {
		row[x.ID] = i
	}
	middle := map[string]float64{}
	for _, x := range right {
		sum, all := 0.0, 0.0
		for _, e := range g.Edges {
			other := ""
			if e.From == x.ID {
				other = e.To
			} else if e.To == x.ID {
				other = e.From
			}
			if i, ok := row[other]; ok {
				sum += float64(i * e.Mails)
				all += float64(e.Mails)
			}
		}
		middle[x.ID] = sum / max(all, 1)
	}
	slices.SortStableFunc(right, func(a, b *graphNode) int {
		return cmp.Or(cmp.Compare(middle[a.ID], middle[b.ID]), cmp.Compare(a.ID, b.ID))
	})
	for i, x := range right {
		row[x.ID] = i
	}
	l.Height = float64(graphRow * max(len(left), len(right), 4))
	most := 1
	for _, w := range weight {
		most = max(most, w)
	}
	for _, side := range [][]*graphNode{left, right} {
		for i, x := range side {
			x.Y = (float64(i) + .5) * l.Height / float64(len(side))
			x.R = 3 + 5*math.Sqrt(float64(weight[x.ID])/float64(most))
		}
	}
	l.Lines = joinedLines(g.Edges, nodes)
	for _, x := range left {
		l.Left = append(l.Left, *x)
	}
	for _, x := range right {
		l.Right = append(l.Right, *x)
	}
	return l
}

// joinedLines joins both ways of an edge to one line; the odd ones come last, so that they lie on top.
func joinedLines(edges []api.PersonaGraphEdge, nodes map[string]*graphNode) []graphLine {
	at := map[[2]string]int{}
	var lines []graphLine
	most := 1
	for _, e := range edges {
		a, b := nodes[e.From], nodes[e.To]
		if a == nil || b == nil {
			continue
		}
		if e.From == e.To {
			a.Within += e.Mails
			continue
		}
		key := [2]string{min(e.From, e.To), max(e.From, e.To)}
		i, there := at[key]
		if !there {
			i = len(lines)
			at[key] = i
			lines = append(lines, graphLine{Class: "usual", From: a.Name, To: b.Name})
			lines[i].Path, lines[i].X, lines[i].Y = curve(a, b)
		}
		x := &lines[i]
		if there {
			x.Back += e.Mails
		} else {
			x.There += e.Mails
		}
		most = max(most, x.There+x.Back)
		if e.Odd {
			x.Class, x.Odd = "odd", true
		} else if e.New && !x.Odd {
			x.Class = "new"
		}
		if e.Why != "" {
			x.Title = e.Why
		}
	}
	for i := range lines {
		x := &lines[i]
		x.Width = 1 + 5*math.Sqrt(float64(x.There+x.Back)/float64(most))
		words := fmt.Sprintf("%s to %s: %s, %d back", x.From, x.To, plural(x.There, "mail", "mails"), x.Back)
		if x.Title != "" {
			words += ". " + x.Title
		}
		x.Title = words
	}
	rank := map[string]int{"usual": 0, "new": 1, "odd": 2}
	slices.SortStableFunc(lines, func(a, b graphLine) int { return cmp.Compare(rank[a.Class], rank[b.Class]) })
	return lines
}

// curve is the line between two nodes, 1,000 wide, and its middle. Two of the same side are joined by an arc into the middle, which
// reaches the further the further apart they stand.
func curve(a, b *graphNode) (path string, x, y float64) {
	const in = 20
	side := func(n *graphNode) float64 {
		if n.Outside {
			return 1000 - in
		}
		return in
	}
	ax, bx := side(a), side(b)
	if ax != bx {
		return fmt.Sprintf("M%s %sC500 %s 500 %s %s %s", units(ax), units(a.Y), units(a.Y), units(b.Y), units(bx), units(b.Y)), .5, (a.Y + b.Y) / 2
	}
	reach := 90 + 330*min(1, math.Abs(a.Y-b.Y)/(12*graphRow))
	c := ax + reach
	if a.Outside {
		c = ax - reach
	}
	return fmt.Sprintf("M%s %sC%s %s %s %s %s %s", units(ax), units(a.Y), units(c), units(a.Y), units(c), units(b.Y), units(bx), units(b.Y)), (ax/4 + c*3/4) / 1000, (a.Y + b.Y) / 2
}

func (w *web) graph(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	q := r.URL.Query()
	v := graphView{Query: kept(r), Span: 4, In: api.PersonaGraphIn{In: api.In{Tenant: p.Tenant.ID}, By: nameOr(q.Get("by"), "department"), Of: tocsin.PersonID(strings.TrimSpace(q.Get("of"))), Group: q.Get("group")}}
	if n, err := strconv.Atoi(q.Get("weeks")); err == nil && n >= 1 && n <= 26 {
		v.Span = n
	}
	// The window's last week is told by its number since 1970, so that an address means the same tomorrow.
	if week, err := strconv.Atoi(q.Get("week")); err == nil && week > 0 && week < 100_000 {
		monday := weekDay(week)
		v.In.Until = monday.AddDate(0, 0, 6)
		v.In.Since = monday.AddDate(0, 0, -7*(v.Span-1))
	} else if v.Span != 4 {
		v.In.Since = lookOf(r.Context()).now.AddDate(0, 0, -7*(v.Span-1))
	}
	var err error
	if v.PersonaGraph, err = w.svc.GetPersonaGraph(r.Context(), v.In); err != nil {
		return nil, err
	}
	if v.In.Of != "" {
		v.Of = w.personName(r, p.Tenant.ID, v.In.Of)
	}
	for i := range v.Nodes {
		if n := &v.Nodes[i]; n.Kind == "domain" && !n.Outside {
			n.Name = p.Tenant.Name
		}
	}
	v.draw()
	return graphPage(p, v), nil
}

// weekDay is the Monday of a week since 1970, and weekNumber the week of a day: the first one began on 29 December 1969.
func weekDay(week int) time.Time {
	return time.Date(1969, 12, 29, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 7*week)
}

func weekNumber(day string) int {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return 0
	}
	return int(t.Sub(weekDay(0)).Hours() / (24 * 7))
}

func (v *graphView) draw() {
	v.Lay = layoutOf(v.PersonaGraph)
	most := 0
	for _, x := range v.Weeks {
		most = max(most, x.Mails)
	}
	v.Scale = scaleTo(float64(most), true)
	v.At = len(v.Weeks) - 1
	for i, x := range v.Weeks {
		if x.Week <= v.Until {
			v.At = i
		}
	}
	for i, x := range v.Weeks {
		w := 1 / float64(len(v.Weeks))
		y := v.Scale.down(float64(x.Mails), 40)
		class := "bar"
		if x.Week >= v.Since && x.Week <= v.Until {
			class = "bar in"
		}
		v.History = append(v.History, plotBar{X: (float64(i) + .12) * w, W: .76 * w, Y: y, H: max(40-y, 1), Class: class, Title: fmt.Sprintf("Week of %s: %s, %s", longDay(x.Week), plural(x.Mails, "mail", "mails"), plural(x.Anomalies, "anomaly", "anomalies"))})
		if x.Anomalies > 0 {
			v.Marks = append(v.Marks, plotPin{N: x.Anomalies, X: (float64(i) + .5) * w})
		}
	}
}

// weekOf is a week's number at a place in Weeks, kept within them.
func (v graphView) weekOf(i int) int {
	if len(v.Weeks) == 0 {
		return 0
	}
	return weekNumber(v.Weeks[min(max(i, 0), len(v.Weeks)-1)].Week)
}

// moved is the address of the window by so many weeks later.
func (v graphView) moved(path string, by int) string {
	return change(path, v.Query, "week", strconv.Itoa(v.weekOf(v.At)+by))
}

// says is the graph in a sentence.
func (v graphView) says() string {
	mails, odd, fresh := 0, 0, 0
	for _, e := range v.Edges {
		mails += e.Mails
		if e.Odd {
			odd++
		} else if e.New {
			fresh++
		}
	}
	if len(v.Edges) == 0 {
		return "Nobody wrote to anybody in this time."
	}
	s := fmt.Sprintf("%s between %s from %s to %s.", plural(mails, "mail", "mails"), v.nodesWord(), longDay(v.Since), longDay(v.Until))
	switch {
	case odd == 1:
		s += " One edge is odd: anomalies are about it."
	case odd > 1:
		s += fmt.Sprintf(" %d edges are odd: anomalies are about them.", odd)
	default:
		s += " No edge is odd."
	}
	if fresh > 0 {
		s += fmt.Sprintf(" %s new: nothing went this way in the twelve weeks before.", plural(fresh, "more is", "more are"))
	}
	return s
}

// nodeName is a node's name by its id.
func (v graphView) nodeName(id string) string {
	for _, n := range v.Nodes {
		if n.ID == id {
			return nameOr(n.Name, "Not named")
		}
	}
	return id
}

// nodeTitle is a node in words.
func nodeTitle(n graphNode) string {
	s := nameOr(n.Name, "Not named") + ": " + plural(n.Mails, "mail", "mails")
	if n.Kind == "department" && n.People > 0 {
		s += ", " + plural(n.People, "person", "people")
	}
	if n.Within > 0 {
		s += fmt.Sprintf(", %s among themselves", thousands(n.Within))
	}
	return s
}

func graphTitle(by string) string {
	switch by {
	case "person":
		return "People"
	case "domain":
		return "Domains"
	}
	return "Departments and the domains outside"
}

// nodesWord are the nodes in words.
func (v graphView) nodesWord() string {
	inside := 0
	for _, n := range v.Nodes {
		if !n.Outside {
			inside++
		}
	}
	out := len(v.Nodes) - inside
	switch v.By {
	case "person":
		return plural(inside, "person", "people") + " inside and " + plural(out, "address", "addresses") + " outside"
	case "domain":
		return "the organisation and " + plural(out, "domain", "domains") + " outside"
	}
	return plural(inside, "department", "departments") + " and " + plural(out, "domain", "domains") + " outside"
}
