package sim

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestControlAnswers holds the control listener to what it says of what it is sent.
func TestControlAnswers(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
	amy := p.s.world.person(3)
	id := p.subscribe("users/"+amy.id+"/messages", "created", listen(t, nil).URL)
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/", "", 200, "POST   /consent"},
		{"GET", "/nowhere", "", 404, ""},
		{"POST", "/consent", `{"roles":["User.Read.All","Mail.Eat"]}`, 400, "Mail.Eat"},
		{"POST", "/consent", `{"roles":["User.Read.All"]}`, 204, ""},
		{"POST", "/story", "", 400, "the story is empty"},
		{"POST", "/story", "# nothing but words\n", 400, "the story is empty"},
		{"POST", "/story?mode=live", "domain fabrikam.com\nperson amy \"Amy Adams\"\nmon 09:00 amy makes rule \"x\" delete\n", 204, ""},
		{"POST", "/story?mode=live&over=soon", "domain fabrikam.com\nperson amy \"Amy Adams\"\nmon 09:00 amy makes rule \"x\" delete\n", 400, "soon"},
		{"GET", "/subscriptions", "", 200, id},
		{"POST", "/subscriptions", `{"do":"missed","mailbox":"` + amy.mail + `"}`, 200, `{"subscriptions":1}`},
		{"POST", "/subscriptions", `{"do":"lapse"}`, 200, `{"subscriptions":1}`},
		{"POST", "/subscriptions", `{"do":"explode"}`, 400, "lapse"},
		{"POST", "/subscriptions", `{"do":"remove","mailbox":"nobody@x.example"}`, 400, "nobody@x.example"},
		{"GET", "/deliveries", "", 200, `"waiting":2`},
		{"POST", "/delivery", `{"latency":"20s","batch":7}`, 204, ""},
		{"POST", "/traffic", `{"changes":0}`, 400, "above zero"},
		{"POST", "/traffic", `{"changes":20}`, 204, ""},
		{"POST", "/rate", `{"rate":-1}`, 400, "below zero"},
		{"POST", "/rate", `{"rate":10,"active":20}`, 204, ""},
		{"POST", "/forge", `{"mailbox":"` + amy.mail + `"}`, 200, `"another clientState":202`},
		{"POST", "/forge", `{"mailbox":"nobody@x.example"}`, 400, "nobody@x.example"},
		{"GET", "/messages?mailbox=" + amy.mail, "", 200, `"flag":"notFlagged"`},
		{"GET", "/messages?mailbox=nobody", "", 400, "nobody"},
		{"GET", "/digest/mail", "", 200, amy.mail},
		{"POST", "/subscriptions", `{"do":"remove","silent":true}`, 200, `{"subscriptions":1}`},
		{"GET", "/subscriptions", "", 200, "[]"},
		{"POST", "/fault", `{"kind":"notice_lost","chance":0.1,"path":"users/*/messages"}`, 204, ""},
	} {
		w := httptest.NewRecorder()
		p.s.Control().ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
	if d := p.s.delivery(); d.Batch != 7 || d.Connections != 8 || time.Duration(d.Latency) != 20*time.Second {
		t.Errorf("notifications go out as %+v", d)
	}
}
