package web

import (
	"net/http"

	"tocsin.dev"
	"tocsin.dev/api"
)

func (w *web) signIn(rw http.ResponseWriter, r *http.Request) {
	if _, ok := api.CallerOf(r.Context()); ok {
		http.Redirect(rw, r, local(r.URL.Query().Get("back")), http.StatusSeeOther)
		return
	}
	state, err := w.svc.GetSetup(r.Context(), api.NoInput{})
	if err != nil {
		w.sorry(rw, r, err)
		return
	}
	theme := lookOf(r.Context()).theme
	if state.Open {
		w.render(rw, r, http.StatusOK, waitingPage(theme))
		return
	}
	w.render(rw, r, http.StatusOK, signInPage(theme, "", r.URL.Query().Get("back"), w.svc.OIDCName(), nil))
}

func (w *web) signInDo(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	f, back := r.FormValue, r.FormValue("back")
	theme := lookOf(r.Context()).theme
	got, err := w.svc.SignIn(r.Context(), api.SignInIn{Body: api.SignIn{Email: f("email"), Password: f("password"), Code: digits(f("code"))}})
	switch {
	case err != nil && f("step") == "code":
		w.render(rw, r, api.StatusOf(err), codePage(theme, back, tocsin.AsProblem(err)))
	case err != nil:
		w.note(r, err)
		w.render(rw, r, api.StatusOf(err), signInPage(theme, f("email"), back, w.svc.OIDCName(), tocsin.AsProblem(err)))
	case got.NeedsCode:
		w.render(rw, r, http.StatusOK, codePage(theme, back, nil))
	default:
		http.Redirect(rw, r, local(back), http.StatusSeeOther)
	}
}

// oidcBegin sends the browser to the identity provider.
func (w *web) oidcBegin(rw http.ResponseWriter, r *http.Request) {
	var in api.BeginOIDCIn
	in.Body.Back = local(r.URL.Query().Get("back"))
	to, err := w.svc.BeginOIDC(r.Context(), in)
	if err != nil {
		w.oidcRefused(rw, r, err)
		return
	}
	http.Redirect(rw, r, to.Next, http.StatusSeeOther)
}

// oidcBack is where the identity provider sends the browser back to.
func (w *web) oidcBack(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var in api.FinishOIDCIn
	in.Body.State, in.Body.Code, in.Body.Error, in.Body.Description = q.Get("state"), q.Get("code"), q.Get("error"), q.Get("error_description")
	got, err := w.svc.FinishOIDC(r.Context(), in)
	if err != nil {
		w.oidcRefused(rw, r, err)
		return
	}
	http.Redirect(rw, r, local(got.Back), http.StatusSeeOther)
}

func (w *web) oidcRefused(rw http.ResponseWriter, r *http.Request, err error) {
	w.note(r, err)
	w.render(rw, r, api.StatusOf(err), signInPage(lookOf(r.Context()).theme, "", "", w.svc.OIDCName(), tocsin.AsProblem(err)))
}

func (w *web) signOut(rw http.ResponseWriter, r *http.Request) {
	if _, err := w.svc.SignOut(r.Context(), api.NoInput{}); err != nil {
		w.note(r, err)
	}
	http.Redirect(rw, r, "/sign-in", http.StatusSeeOther)
}

// setup is the page behind the set-up link that the server prints when nobody owns it: /setup?token=….
func (w *web) setup(rw http.ResponseWriter, r *http.Request) {
	state, err := w.svc.GetSetup(r.Context(), api.NoInput{})
	switch {
	case err != nil:
		w.sorry(rw, r, err)
	case !state.Open:
		http.Redirect(rw, r, "/sign-in", http.StatusSeeOther)
	default:
		token := r.URL.Query().Get("token")
		if err := w.svc.CheckSetup(r.Context(), token); token != "" && err != nil {
			w.render(rw, r, api.StatusOf(err), setupPage(lookOf(r.Context()).theme, "", "", "", tocsin.AsProblem(err)))
			return
		}
		w.render(rw, r, http.StatusOK, setupPage(lookOf(r.Context()).theme, token, "", "", nil))
	}
}

func (w *web) setupDo(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	f := r.FormValue
	_, err := w.svc.ClaimSetup(r.Context(), api.SetupIn{Body: api.Setup{Token: f("token"), Email: f("email"), Name: f("name"), Password: f("password")}})
	if err != nil {
		w.note(r, err)
		w.render(rw, r, api.StatusOf(err), setupPage(lookOf(r.Context()).theme, f("token"), f("email"), f("name"), tocsin.AsProblem(err)))
		return
	}
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}

// theme keeps light, dark or what the system says, and goes back to where one was.
func (w *web) theme(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	switch t := r.FormValue("theme"); t {
	case "light", "dark":
		w.cookie(rw, "theme", t, 365*24*3600)
	default:
		w.cookie(rw, "theme", "", -1)
	}
	http.Redirect(rw, r, local(r.FormValue("back")), http.StatusSeeOther)
}

// digits is what remains of a code that was typed with blanks.
func digits(s string) string {
	var out []rune
	for _, r := range s {
		if r != ' ' {
			out = append(out, r)
		}
	}
	return string(out)
}
