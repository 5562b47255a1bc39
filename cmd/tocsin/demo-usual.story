# What is usual at Fabrikam Freight, and must stay silent.
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

mon 08:10 ines makes rule "Newsletters" when from_addresses news@industry-weekly.example move to "Newsletters"
mon 08:12 clara makes rule "To the team" when subject_contains "tender" forward to bruno.lindqvist@fabrikamfreight.com
mon 08:20 dmitri makes rule "Carrier papers" when from_addresses ops@contoso-logistics.example forward to archive@contoso-logistics.example
