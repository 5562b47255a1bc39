# Nobody has told which domains are accepted: unknown is never no, and is said.
person amy "Amy Adams" amy@fabrikam.com
person bob "Bob Brown" bob@fabrikam.com

mon 09:00 amy makes rule "Copies" forward to eve@evil.example
mon 09:05 amy makes rule "To bob" forward to bob
expect forward-everything amy risk 50 says "your accepted domains are not known"
