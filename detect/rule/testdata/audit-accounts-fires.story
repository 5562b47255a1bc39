# Accounts come and go, lose their second factor, and guests arrive.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
person root "Rita Root" admin

mon 02:00 root audits "Add user" target "tmp@fabrikam.com"
mon 05:00 root audits "Delete user" target "tmp@fabrikam.com"
mon 06:00 root audits "Disable Strong Authentication" target amy
mon 06:10 root audits "Admin registered security info" target bob reason="Admin registered temporary access pass method for user"
mon 06:20 amy audits "Invite external user" invited="eve@evil.example"
mon 06:30 root audits "Update user" target "guest1@fabrikam.com" UserType="Guest" becoming "Member"
mon 06:40 root audits "Update user" target cyd SourceAnchor="abc" becoming "def"
mon 06:50 cyd audits "Suspicious activity reported" target cyd
expect account-made "tmp@fabrikam.com"
expect account-made-and-deleted "tmp@fabrikam.com" risk 65 says "3 hours later"
expect mfa-removed amy risk 50
expect temporary-access-pass-made bob risk 65
expect guest-invited amy
expect guest-made-member "guest1@fabrikam.com"
expect synchronisation-anchor-changed cyd risk 65
expect prompt-reported cyd risk 65
