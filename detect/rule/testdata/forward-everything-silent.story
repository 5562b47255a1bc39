# Everything goes to a colleague, to a partner, or is excepted.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
partner trusted.example
exception forward-everything for domain audit.example by amy because "the yearly audit" until wed 10:00

mon 09:00 amy makes rule "Holiday" forward to bob
mon 09:01 bob makes rule "To the agency" redirect to desk@trusted.example
mon 09:02 cyd makes rule "To audit" forward to cyd@audit.example
silent forward-everything
silent
