package sim

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestControlAnswers holds the control listener to what it says of what it is sent.
func TestControlAnswers(t *testing.T) {
	p := newProbe(t, Config{Users: 30})
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
	} {
		w := httptest.NewRecorder()
		p.s.Control().ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
}
