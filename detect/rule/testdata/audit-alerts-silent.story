# Alerts that are settled or only inform, and a risk that somebody dismissed.
domain fabrikam.com
person amy "Amy Adams"

mon 09:00 "Microsoft" audits "Alert" as system target amy title="Password spray" severity="high" status="resolved"
mon 09:05 "Microsoft" audits "Alert" as system target amy title="Something" severity="informational" status="new"
mon 09:10 amy audits "RiskDetection" risk="high" risk_state="dismissed" risk_type="leakedCredentials"
silent
silent microsoft-alert
silent risk-detected
