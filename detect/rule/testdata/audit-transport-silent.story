# A disclaimer, a copy to the partner's archive, and what failed.
domain fabrikam.com
partner archive.example
person root "Rita Root" admin

mon 09:00 root runs New-TransportRule as admin Name="Disclaimer" ApplyHtmlDisclaimerText="…" FromScope="InOrganization"
mon 09:10 root runs New-TransportRule as admin Name="Archive" BlindCopyTo="all@archive.example"
mon 09:20 root runs Remove-TransportRule as admin result False Identity="Guard"
mon 09:30 root runs New-JournalRule as admin Name="Journal" JournalEmailAddress="journal@archive.example"
mon 09:40 root runs Set-TransportRule as admin Identity="Scanner" SetSCL="5"
silent
silent transport-rule-takes-mail
silent transport-rule-skips-filter
silent transport-rule-off
silent journal-goes-outside
