package api

import (
	"context"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"tocsin.dev"
)

// Op is a line of the table of operations.
type Op struct {
	Name   string // noun verb
	Method string
	Path   string
	Role   Role // the least
	Help   string
	Status int // of success in REST

	command  bool // there is a command for it
	tenanted bool // its input names a tenant
	stream   bool
	upload   bool  // its body is a file
	most     int64 // bytes of a JSON body
	dry      bool  // it changes nothing, though it is no GET
	in, out  reflect.Type
	register func(huma.API, Op)
	call     func(ctx context.Context, in any) (any, error) // in is a pointer to the input
}

type option func(*Op)

// status is what REST answers when all is well, in place of 200.
func status(code int) option { return func(o *Op) { o.Status = code } }

// noCommand is for what makes no sense on a command line: a browser's session.
func noCommand(o *Op) { o.command = false }

// dryRun says that an operation with a body changes nothing.
func dryRun(o *Op) { o.dry = true }

// upload is for an operation whose body is a file of any size, read as it comes.
func upload(o *Op) { o.upload = true }

// mailSized is for an operation whose body carries a whole mail: Exchange takes 150 MB at most, 25 or 35 as a rule.
func mailSized(o *Op) { o.most = 56 << 20 }

// filesSized is for an operation whose body carries a file of a mail, in base64: 110 MB at most, which is what Exchange takes.
func filesSized(o *Op) { o.most = 150 << 20 }

// inBody says that the tenant asked for stands in the body.
func inBody(o *Op) { o.tenanted = true }

// op makes a line of the table from a name, a route, a role, a line of help and the method that does it.
func op[I, O any](name, route string, least Role, help string, do func(context.Context, I) (O, error), options ...option) Op {
	method, path, _ := strings.Cut(route, " ")
	o := Op{Name: name, Method: method, Path: path, Role: least, Help: help, Status: 200, command: true, most: 256 << 10,
		tenanted: strings.Contains(path, "{tenant}"), in: reflect.TypeFor[I](), out: reflect.TypeFor[O]()}
	for _, set := range options {
		set(&o)
	}
	o.call = func(ctx context.Context, in any) (any, error) { return do(ctx, *in.(*I)) }
	o.register = registered
	return o
}

// describe is an operation's entry in the OpenAPI document.
func describe(o Op) huma.Operation {
	noun, _, _ := strings.Cut(o.Name, " ")
	d := huma.Operation{
		OperationID: strings.ReplaceAll(o.Name, " ", "-"), Method: o.Method, Path: o.Path, DefaultStatus: o.Status,
		Summary: o.Help, Description: needs(o), Tags: []string{noun},
		SkipValidateParams: true, SkipValidateBody: true, // valid() does it, for every face alike
		MaxBodyBytes: o.most,
		Middlewares:  huma.Middlewares{knownQuery(o)},
		Responses:    map[string]*huma.Response{"default": {Ref: "#/components/responses/Problem"}},
	}
	if o.upload {
		d.RequestBody = &huma.RequestBody{Required: true, Description: "The file", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	}
	if o.Role != Stranger {
		d.Security = []map[string][]string{{"token": {}}, {"session": {}}}
	}
	return d
}

// needs says in a sentence who may.
func needs(o Op) string {
	switch {
	case o.Role == Stranger:
		return "Anybody may."
	case o.Role == Self:
		return "Whoever is signed in may."
	case o.Role == Member:
		return "Needs the role agent, or analyst or more, in the tenant: in inboxes whose team one is of."
	case o.tenanted || o.stream:
		return "Needs the role " + string(o.Role) + " in the tenant."
	}
	return "Needs the role " + string(o.Role) + " on the installation (a grant on *)."
}

// tenantOf is the tenant that an input names, in its path, query or body.
func tenantOf(in any) tocsin.TenantID {
	v := reflect.Indirect(reflect.ValueOf(in))
	if f := v.FieldByName("Tenant"); f.IsValid() && f.Kind() == reflect.String {
		return tocsin.TenantID(strings.ToLower(strings.TrimSpace(f.String())))
	}
	if b := v.FieldByName("Body"); b.IsValid() && b.Kind() == reflect.Struct {
		return tenantOf(b.Interface())
	}
	return ""
}
