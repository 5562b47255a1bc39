package web

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"time"

	"github.com/a-h/templ"

	"tocsin.dev"
	"tocsin.dev/api"
)

// importsView is the files that were brought in, and the forms that bring in more.
type importsView struct {
	Query url.Values
	Page  api.Page[api.Import]
}

func (w *web) imports(_ http.ResponseWriter, r *http.Request, p *page) (templ.Component, error) {
	v := importsView{Query: kept(r)}
	var err error
	v.Page, err = w.svc.ListImports(r.Context(), api.ListIn{In: api.In{Tenant: p.Tenant.ID}, Paging: api.Paging{Limit: pageSize, After: r.URL.Query().Get("after")}})
	return importsPage(p, v), err
}

// importDo takes a file from a form as it comes, and says what came of it. The fields stand before the file.
func (w *web) importDo(rw http.ResponseWriter, r *http.Request) {
	if _, ok := api.CallerOf(r.Context()); !ok {
		w.toDoor(rw, r)
		return
	}
	kind := r.PathValue("kind")
	to := tenantAt(tocsin.TenantID(r.PathValue("tenant")), "audit", "imports")
	out, err := w.importFrom(r, kind)
	n := &notice{Kind: "good", What: out.Name + ": " + out.Says() + "."}
	switch {
	case err != nil:
		w.note(r, err)
		p := tocsin.AsProblem(err)
		n = &notice{Kind: "bad", What: p.What, Do: p.Do}
	case out.Broken > 0:
		n.Kind, n.Do = "warn", "The first lines that could not be read stand below."
	}
	w.leaveNotice(rw, n)
	http.Redirect(rw, r, local(to), http.StatusSeeOther)
}

var errNoUpload = tocsin.Problemf(tocsin.Invalid, "Choose the file that was exported.", "There is no file in the form.")

func (w *web) importFrom(r *http.Request, kind string) (out api.Import, err error) {
	form, err := r.MultipartReader()
	if err != nil {
		return out, errNoUpload
	}
	var asOf time.Time
	for {
		part, err := form.NextPart()
		if err != nil {
			return out, errNoUpload
		}
		switch part.FormName() {
		case "as_of":
			if asOf, err = momentIn(r, part); err != nil {
				return out, err
			}
		case "file":
			if part.FileName() == "" {
				return out, errNoUpload
			}
			return w.importPart(r, kind, asOf, part)
		}
	}
}

func (w *web) importPart(r *http.Request, kind string, asOf time.Time, part *multipart.Part) (api.Import, error) {
	in, file := api.In{Tenant: tocsin.TenantID(r.PathValue("tenant"))}, api.ImportFile{Name: part.FileName(), File: part}
	switch kind {
	case "audit":
		return w.svc.ImportAudit(r.Context(), api.ImportAuditIn{In: in, ImportFile: file})
	case "mailboxes":
		return w.svc.ImportMailboxes(r.Context(), api.ImportMailboxesIn{In: in, ImportFile: file, AsOf: asOf})
	}
	return api.Import{}, tocsin.Problemf(tocsin.NotFound, "Go back and choose another.", "There is no such import.")
}

const momentForm = "2006-01-02T15:04"

// momentIn is a time of a form, in the viewer's zone; zero where it is empty.
func momentIn(r *http.Request, part io.Reader) (time.Time, error) {
	text, err := io.ReadAll(io.LimitReader(part, 100))
	if err != nil || len(text) == 0 {
		return time.Time{}, err
	}
	at, err := time.ParseInLocation(momentForm, string(text), lookOf(r.Context()).zone)
	if err != nil {
		return at, errors.Join(tocsin.Problemf(tocsin.Invalid, "Give it like 2026-03-01T12:00.", "The time of the export is none."), err)
	}
	return at.UTC(), nil
}

// importCommands are the lines of PowerShell that export what can be brought in, as docs/imports.md shows them.
var importCommands = map[string][]struct{ Title, Text string }{
	"audit": {{"The last ninety days, by Exchange Online PowerShell", `$session = [guid]::NewGuid(); $to = Get-Date
do {
  $page = Search-UnifiedAuditLog -StartDate $to.AddDays(-90) -EndDate $to -SessionId $session -SessionCommand ReturnLargeSet -ResultSize 5000 ` + "`" + `
    -Operations New-InboxRule,Set-InboxRule,UpdateInboxRules,Set-Mailbox,Add-MailboxPermission,Remove-MailboxPermission,Add-RecipientPermission,Remove-RecipientPermission,AddFolderPermissions,New-TransportRule,Set-TransportRule
  $page | ForEach-Object AuditData | Add-Content AuditLog.jsonl -Encoding UTF8
} while ($page)`}},
	"mailboxes": {
		{"Where mailboxes forward, and who may send on behalf of them", `Get-Mailbox -ResultSize Unlimited | Select-Object PrimarySmtpAddress, ForwardingSmtpAddress,
  @{n='ForwardingAddress';e={if ($_.ForwardingAddress) {(Get-Recipient $_.ForwardingAddress).PrimarySmtpAddress}}}, DeliverToMailboxAndForward,
  @{n='GrantSendOnBehalfTo';e={($_.GrantSendOnBehalfTo | ForEach-Object {(Get-Recipient $_).PrimarySmtpAddress}) -join ';'}} |
  Export-Csv mailboxes.csv -NoTypeInformation -Encoding UTF8`},
		{"Who has full access", `Get-EXOMailbox -ResultSize Unlimited | ForEach-Object {$box = $_.PrimarySmtpAddress; Get-EXOMailboxPermission -Identity $box |
  Select-Object @{n='Mailbox';e={$box}}, User, @{n='AccessRights';e={$_.AccessRights -join ','}}, Deny, IsInherited} |
  Export-Csv rights.csv -NoTypeInformation -Encoding UTF8`},
		{"Who may send as", `Get-EXOMailbox -ResultSize Unlimited | ForEach-Object {$box = $_.PrimarySmtpAddress; Get-EXORecipientPermission -Identity $box |
  Select-Object @{n='Mailbox';e={$box}}, Trustee, @{n='AccessRights';e={$_.AccessRights -join ','}}, AccessControlType, IsInherited} |
  Export-Csv sendas.csv -NoTypeInformation -Encoding UTF8`},
		{"To whom inboxes are open", `Get-EXOMailbox -ResultSize Unlimited | ForEach-Object {$box = $_.PrimarySmtpAddress; Get-EXOMailboxFolderPermission -Identity "${box}:\Inbox" |
  Select-Object @{n='Mailbox';e={"${box}:\Inbox"}}, @{n='User';e={"$($_.User)"}}, @{n='AccessRights';e={$_.AccessRights -join ','}}} |
  Export-Csv inbox.csv -NoTypeInformation -Encoding UTF8`},
	},
}

// importStates are an import's states: mark and word.
var importStates = map[string][2]string{"running": {"busy", "Coming in"}, "done": {"ok", "Done"}, "cut": {"bad", "Cut off"}}

// nowIn is the present time as a form takes it, in the viewer's zone.
func nowIn(ctx context.Context) string {
	l := lookOf(ctx)
	return l.now.In(l.zone).Format(momentForm)
}
