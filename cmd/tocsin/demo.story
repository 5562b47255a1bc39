# A payment fraud in the making: the finance team's mailboxes are taken over, one after another.
domain fabrikamfreight.com
partner contoso-logistics.example

person amy   "Amy Okafor"     amy.okafor@fabrikamfreight.com
person bruno "Bruno Lindqvist" bruno.lindqvist@fabrikamfreight.com
person clara "Clara Moreau"   clara.moreau@fabrikamfreight.com
person dmitri "Dmitri Volkov" dmitri.volkov@fabrikamfreight.com
person ines  "Inês Carvalho"  ines.carvalho@fabrikamfreight.com
person ap    "Accounts Payable" accounts.payable@fabrikamfreight.com shared
person helpdesk "Help Desk"   helpdesk@fabrikamfreight.com shared blocked
group  payments@fabrikamfreight.com "Payments" with amy, bruno, "j.harlow@harlow-consulting.example"

mon 08:45 amy signs in from 185.220.101.7/RO app "Office 365 Exchange Online" risk=high risk_types=anonymizedIPAddress mfa=claim session=am1
mon 08:46 amy sends to p.kessler@rhein-spedition.example, billing@elbe-lager.example subject "Our bank details have changed"
mon 08:47 amy sends to dispatch@nordhafen.example, a.koller@montblanc-fret.example subject "Our bank details have changed"
mon 08:48 amy sends to j.brandt@alpenfracht.example, payables@tajo-logistica.example subject "Our bank details have changed"
mon 08:49 amy sends to office@kanal-umschlag.example, ledger@fjordline-post.example subject "Our bank details have changed"
mon 08:50 amy sends to m.silva@portolog.example, k.horvath@danube-barge.example subject "Our bank details have changed"
mon 08:51 amy sends to accounts@baltic-lines.example, accounts@ports-of-kent.example subject "Our bank details have changed"
mon 08:52 amy sends to t.novak@moravia-cargo.example, n.pappas@aegean-cargo.example subject "Our bank details have changed"
mon 08:53 amy sends to invoices@delta-haulage.example, faktury@vistula-trans.example subject "Our bank details have changed"
mon 08:54 amy sends to s.moreau@loire-transit.example, regnskap@lofoten-fisk.example subject "Our bank details have changed"
mon 08:55 amy sends to r.oneill@shannon-freight.example, compta@jura-horlogerie.example subject "Our bank details have changed"
mon 08:56 amy sends to buchhaltung@weserkai.example, e.byrne@galway-seafood.example subject "Our bank details have changed"
mon 08:57 amy sends to finance@skagen-shipping.example, rechnung@tirol-transport.example subject "Our bank details have changed"
mon 09:02 amy audits "User registered security info" target amy from 185.220.101.7
mon 09:03 amy makes rule "." when subject_contains "invoice", "payment", "iban", "wire" forward to a.okafor.fabrikam@outlook-mail.example and mark read and move to conversationhistory
mon 09:05 amy makes rule ".." when body_or_subject_contains "hacked", "phishing", "suspicious", "security alert", "helpdesk" delete and mark read and stop
mon 09:11 bruno makes rule "Bruno\u200b" redirect to a.okafor.fabrikam@outlook-mail.example
mon 09:14 ap sets automatic reply "Our bank details have changed. Please write to billing@fabrlkamfreight.example from now on."
mon 09:16 clara makes rule "Tenders" when subject_contains "tender" forward to bruno.lindqvist@fabrikamfreight.com
mon 09:18 dmitri makes rule "Statements" when subject_contains "statement" forward to payments@fabrikamfreight.com
mon 09:21 ines makes rule "Ínvoices" when subject_contains "invoice" and has_attachments move to junkemail and mark read
mon 09:24 ines changes rule "Ínvoices" when subject_contains "invoice" and has_attachments forward to drop@inv0ices.example and move to junkemail and mark read
mon 09:30 ines deletes rule "Ínvoices"
