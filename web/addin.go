package web

import (
	"bytes"
	"encoding/xml"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"strings"
	xmltemplate "text/template"

	"github.com/google/uuid"
	"tocsin.dev"
)

// The add-in in Outlook: a manifest that an administrator rolls out once, and a task pane with the button Report. Both stand under an address
// with the tenant's key in it, apart from the other pages: they know no session, and may stand in Outlook's frames and no others.
// https://learn.microsoft.com/office/dev/add-ins/outlook/outlook-add-ins-overview

// officeScripts is where Office.js has to be loaded from. https://learn.microsoft.com/office/dev/add-ins/develop/referencing-the-javascript-api-for-office-library-from-its-cdn
const officeScripts = "https://appsforoffice.microsoft.com"

// addinPolicy is the content security policy of the task pane: our own files, Office.js, and Outlook as the frame around it.
const addinPolicy = "default-src 'none'; script-src 'self' " + officeScripts + "; style-src 'self'; img-src 'self'; connect-src 'self' " + officeScripts + "; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'self' https://outlook.office.com https://outlook.office365.com https://outlook.cloud.microsoft https://outlook.live.com https://*.officeapps.live.com https://outlook.office365.us https://partner.outlook.cn"

// addin answers what stands under an add-in's address.
func (w *web) addin(rw http.ResponseWriter, r *http.Request) {
	h := rw.Header()
	h.Del("X-Frame-Options") // the policy says who may frame it, and browsers would heed both
	h.Del("Cross-Origin-Opener-Policy")
	h.Set("Content-Security-Policy", addinPolicy)
	h.Set("Referrer-Policy", "no-referrer") // the key is in the address
	h.Set("Cache-Control", "no-store")
	name := r.PathValue("file")
	if size, ok := strings.CutPrefix(name, "icon-"); ok && path.Ext(name) == ".png" {
		n, err := strconv.Atoi(strings.TrimSuffix(size, ".png"))
		if err != nil || !iconSizes[n] {
			http.NotFound(rw, r)
			return
		}
		h.Set("Content-Type", "image/png")
		h.Set("Cache-Control", "public, max-age=86400")
		_, _ = rw.Write(bellPNG(n))
		return
	}
	tenant, err := w.svc.AddinOf(r.Context(), r.PathValue("key"))
	if err != nil {
		w.note(r, err)
		http.NotFound(rw, r)
		return
	}
	var body bytes.Buffer
	switch name {
	case "manifest.xml":
		if !strings.HasPrefix(w.o.Origin, "https://") {
			http.Error(rw, "Set the address at which people reach Tocsin (url) to one with https: Outlook takes add-ins from no other.", http.StatusConflict)
			return
		}
		h.Set("Content-Type", "application/xml; charset=utf-8")
		h.Set("Content-Disposition", `attachment; filename="tocsin-report.xml"`)
		err = addinManifest.Execute(&body, manifestOf(tenant, w.o.Origin, r.PathValue("key")))
	case "pane":
		h.Set("Content-Type", "text/html; charset=utf-8")
		err = addinPane.Execute(&body, map[string]string{"Office": officeScripts + "/lib/1/hosted/office.js", "Script": asset("addin.js"), "Style": asset("addin.css")})
	default:
		http.NotFound(rw, r)
		return
	}
	if err != nil {
		w.note(r, err)
		http.Error(rw, "It could not be made.", http.StatusInternalServerError)
		return
	}
	_, _ = rw.Write(body.Bytes()) // who has gone away needs none
}

// manifest is what an add-in's manifest tells.
type manifest struct{ ID, Origin, At string }

// manifestOf is a tenant's: its id stays when the key is replaced, so that Outlook takes the new one for the same add-in.
func manifestOf(tenant tocsin.TenantID, origin, key string) manifest {
	return manifest{ID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(origin+"/addin/"+string(tenant))).String(), Origin: origin, At: origin + "/addin/" + key}
}

// addinManifest is the manifest in the form that every Outlook reads (XML).
// https://learn.microsoft.com/javascript/api/manifest/officeapp
var addinManifest = xmltemplate.Must(xmltemplate.New("").Funcs(xmltemplate.FuncMap{"x": escapeXML}).Parse(`<?xml version="1.0" encoding="UTF-8"?>
<OfficeApp xmlns="http://schemas.microsoft.com/office/appforoffice/1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:bt="http://schemas.microsoft.com/office/officeappbasictypes/1.0" xmlns:mailappor="http://schemas.microsoft.com/office/mailappversionoverrides/1.0" xsi:type="MailApp">
  <Id>{{x .ID}}</Id>
  <Version>1.0.0.0</Version>
  <ProviderName>Tocsin</ProviderName>
  <DefaultLocale>en-US</DefaultLocale>
  <DisplayName DefaultValue="Report a mail"/>
  <Description DefaultValue="Tells the security team of a suspicious mail."/>
  <IconUrl DefaultValue="{{x .At}}/icon-64.png"/>
  <HighResolutionIconUrl DefaultValue="{{x .At}}/icon-128.png"/>
  <SupportUrl DefaultValue="{{x .Origin}}"/>
  <AppDomains>
    <AppDomain>{{x .Origin}}</AppDomain>
  </AppDomains>
  <Hosts>
    <Host Name="Mailbox"/>
  </Hosts>
  <Requirements>
    <Sets>
      <Set Name="Mailbox" MinVersion="1.3"/>
    </Sets>
  </Requirements>
  <FormSettings>
    <Form xsi:type="ItemRead">
      <DesktopSettings>
        <SourceLocation DefaultValue="{{x .At}}/pane"/>
        <RequestedHeight>300</RequestedHeight>
      </DesktopSettings>
    </Form>
  </FormSettings>
  <Permissions>ReadItem</Permissions>
  <Rule xsi:type="ItemIs" ItemType="Message" FormType="Read"/>
  <DisableEntityHighlighting>true</DisableEntityHighlighting>
  <VersionOverrides xmlns="http://schemas.microsoft.com/office/mailappversionoverrides" xsi:type="VersionOverridesV1_0">
    <Requirements>
      <bt:Sets DefaultMinVersion="1.3">
        <bt:Set Name="Mailbox"/>
      </bt:Sets>
    </Requirements>
    <Hosts>
      <Host xsi:type="MailHost">
        <DesktopFormFactor>
          <ExtensionPoint xsi:type="MessageReadCommandSurface">
            <OfficeTab id="TabDefault">
              <Group id="tocsinGroup">
                <Label resid="groupLabel"/>
                <Control xsi:type="Button" id="tocsinReport">
                  <Label resid="buttonLabel"/>
                  <Supertip>
                    <Title resid="buttonLabel"/>
                    <Description resid="buttonTip"/>
                  </Supertip>
                  <Icon>
                    <bt:Image size="16" resid="icon16"/>
                    <bt:Image size="32" resid="icon32"/>
                    <bt:Image size="80" resid="icon80"/>
                  </Icon>
                  <Action xsi:type="ShowTaskpane">
                    <SourceLocation resid="paneUrl"/>
                  </Action>
                </Control>
              </Group>
            </OfficeTab>
          </ExtensionPoint>
        </DesktopFormFactor>
      </Host>
    </Hosts>
    <Resources>
      <bt:Images>
        <bt:Image id="icon16" DefaultValue="{{x .At}}/icon-16.png"/>
        <bt:Image id="icon32" DefaultValue="{{x .At}}/icon-32.png"/>
        <bt:Image id="icon80" DefaultValue="{{x .At}}/icon-80.png"/>
      </bt:Images>
      <bt:Urls>
        <bt:Url id="paneUrl" DefaultValue="{{x .At}}/pane"/>
      </bt:Urls>
      <bt:ShortStrings>
        <bt:String id="groupLabel" DefaultValue="Security"/>
        <bt:String id="buttonLabel" DefaultValue="Report"/>
      </bt:ShortStrings>
      <bt:LongStrings>
        <bt:String id="buttonTip" DefaultValue="Tell the security team that this mail looks suspicious."/>
      </bt:LongStrings>
    </Resources>
  </VersionOverrides>
</OfficeApp>
`))

func escapeXML(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}

// addinPane is the task pane. What it does is in static/addin.js.
var addinPane = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Report a mail</title>
<link rel="stylesheet" href="{{.Style}}"><script src="{{.Office}}"></script><script src="{{.Script}}" defer></script></head>
<body><main id="pane">
<h1>Report this mail</h1>
<p id="what" class="soft">Outlook says which mail it is …</p>
<form id="report" hidden>
<p class="mail"><b id="subject"></b><span id="sender" class="soft"></span></p>
<label for="note">What looks wrong? <span class="soft">You may leave this empty.</span></label>
<textarea id="note" rows="4" maxlength="2000"></textarea>
<button id="send">Report</button>
<p class="soft">The security team gets the mail and your note. Please leave links and attachments alone until you hear from them.</p>
</form>
<p id="said" role="status" aria-live="polite"></p>
</main></body></html>
`))
