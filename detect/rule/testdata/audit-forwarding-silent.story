# Forwarding to a trusted partner, a failed attempt, and the bookkeeping of Exchange itself.
domain fabrikam.com
partner trusted.example
person amy "Amy Adams"
person root "Rita Root" admin

mon 09:00 root runs Set-Mailbox as admin Identity="amy@fabrikam.com" ForwardingSmtpAddress="smtp:desk@trusted.example"
mon 09:10 root runs Set-Mailbox as admin result False Identity="amy@fabrikam.com" ForwardingSmtpAddress="smtp:eve@evil.example"
mon 09:20 "NT AUTHORITY\\SYSTEM (w3wp)" runs Set-Mailbox as system Identity="amy@fabrikam.com" ForwardingSmtpAddress="smtp:root@fabrikam.com"
mon 09:30 root runs Set-Mailbox as admin Identity="amy@fabrikam.com" DisplayName="Amy A."
mon 09:40 amy runs UpdateInboxRules RuleOperation="ModifyMailboxRule" RuleId="-4412630970188955647" RuleCondition="{}" RuleActions="[]"
mon 09:50 amy runs Remove-InboxRule Identity="never told of"
silent
silent mailbox-forwards-outside
silent mailbox-forwards-to-new-account
silent mailbox-forwarding-keeps-no-copy
silent mailbox-forwarding-changed
silent inbox-rule-ended
